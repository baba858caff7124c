"""Requests that an exchange fails or limits: how the run ends, and how it recovers."""

from __future__ import annotations

import pytest

from penstock.domains.market import MarketParts
from penstock.errors import (
    RateLimitedError,
    RunFailedError,
    RunUnavailableError,
    SourceUnavailableError,
)
from penstock.market.collect.coverage import Span
from tests.faults.exchanges import (
    FAILED,
    PATIENCE_S,
    RUNNING,
    START,
    Fault,
    asking,
    assert_healed,
    collect,
    klines,
    open_world,
)
from tests.memory import forget_peak, peak_bytes
from tests.simulated import simulated

# A deadline for tests of answers that never arrive.
_SHORT_S = 1.0

UNAVAILABLE = [
    klines("server_error", code=500),
    klines("server_error", code=502),
    klines("server_error", code=503),
    klines("server_error", code=504),
    klines("hang"),
    klines("slow", pause_ms=20),
    klines("reset"),
    klines("truncated", variant="framing"),
    klines("truncated", variant="json"),
    klines("html", status=200),
    klines("redirect"),
    klines("redirect", location="/api/v3/klines?symbol=ETHUSDT&interval=1m"),
    klines("oversized", mib=40),
    klines("oversized", mib=40, gzip=True),
]


def named(fault: Fault) -> str:
    return "-".join(
        str(value) for name, value in fault.items() if name not in {"path", "location", "pause_ms"}
    )


def deadline_for(fault: Fault) -> float:
    return _SHORT_S if fault["name"] in {"hang", "slow"} else PATIENCE_S


@pytest.mark.parametrize("fault", UNAVAILABLE, ids=named)
async def test_a_failed_request_is_retried_and_then_the_error_is_temporary(
    sqlite_database: str, fault: Fault
) -> None:
    async with simulated() as exchange:
        async with asking(
            sqlite_database, exchange, request_deadline_s=deadline_for(fault)
        ) as world:
            await exchange.faults(fault)
            with pytest.raises(RunUnavailableError):
                await collect(world)
            # The HTTP library itself repeats a request once on a reused connection that is reset.
            assert len(await exchange.asked()) in ((2, 3, 4) if fault["name"] == "reset" else (2,))
            assert await world.stored() == []
            assert await world.spans() == [Span(START, RUNNING, FAILED)]
            assert (await world.last_run())["state"] == "failed"
        async with asking(sqlite_database, exchange) as world:
            await assert_healed(world)


@pytest.mark.parametrize("fault", UNAVAILABLE, ids=named)
async def test_a_single_failed_request_has_no_effect(sqlite_database: str, fault: Fault) -> None:
    # A good answer needs one attempt, but on a busy machine it can miss a short deadline.
    async with open_world(
        sqlite_database, request_deadline_s=deadline_for(fault), request_attempts=20
    ) as world:
        await world.exchange.faults(fault | {"count": 1})
        report = await collect(world)
        assert len(await world.exchange.asked()) >= 2
        assert report.result.failures == {}
        assert (await world.last_run())["state"] == "succeeded"
        await assert_healed(world)


async def test_a_refused_request_is_not_repeated(sqlite_database: str) -> None:
    async with open_world(sqlite_database) as world:
        await world.exchange.faults(klines("html", status=403))
        with pytest.raises(RunFailedError, match="HTTP 403"):
            await collect(world)
        assert len(await world.exchange.asked()) == 1
        assert await world.spans() == [Span(START, RUNNING, FAILED)]
        await assert_healed(world)


async def test_a_huge_answer_is_not_read_into_memory(sqlite_database: str) -> None:
    async with open_world(sqlite_database, request_attempts=1, request_deadline_s=5) as world:
        await collect(world)
        forget_peak()
        before = peak_bytes()
        # The simulator runs in this process too, and streams piece by piece.
        await world.exchange.faults(klines("oversized", mib=400, gzip=True))
        with pytest.raises(RunUnavailableError):
            await world.collect("BTCUSDT")
        assert peak_bytes() - before < 64 * 2**20


# Without the list of symbols no run starts; without the clock a run starts and fails.
@pytest.mark.parametrize(("path", "runs"), [("time", 3), ("exchangeInfo", 0)])
async def test_the_other_answers_of_the_exchange_may_fail_too(
    sqlite_database: str, path: str, runs: int
) -> None:
    async with open_world(sqlite_database) as world:
        for fault in (
            {"name": "server_error"},
            {"name": "html", "status": 200},
            {"name": "truncated", "variant": "json"},
        ):
            await world.exchange.faults(fault | {"path": path})
            with pytest.raises(SourceUnavailableError):
                await collect(world)
        assert await world.stored() == []
        assert [row["state"] for row in await world.read("SELECT state FROM run")] == [
            "failed"
        ] * runs
        await world.exchange.faults()
        await collect(world)
        await assert_healed(world)


@pytest.mark.parametrize("name", ["rate_limit", "ban"])
async def test_not_one_request_is_sent_before_the_providers_pause_is_over(
    sqlite_database: str, name: str
) -> None:
    async with open_world(sqlite_database, request_concurrency=1) as world:
        await world.exchange.faults(klines(name, retry_after=1, after=1, count=1))
        report = await world.collect("BTCUSDT", "ETHUSDT", "BNBUSDT", limit=20)
        asked = await world.exchange.asked()
        assert [request["status"] for request in asked] == [
            200,
            429 if name == "rate_limit" else 418,
            200,
            200,
        ]
        assert asked[2]["at"] - asked[1]["at"] >= 1
        assert report.result.failures == {}
        await assert_healed(world, "BTCUSDT", "ETHUSDT", "BNBUSDT")


async def test_a_pause_holds_for_all_concurrent_requests(sqlite_database: str) -> None:
    symbols = ("BTCUSDT", "ETHUSDT", "BNBUSDT", "XRPUSDT", "SOLUSDT")
    async with open_world(sqlite_database, request_concurrency=3, request_attempts=4) as world:
        await world.exchange.faults(klines("rate_limit", retry_after=1, after=2, count=1))
        await world.collect(*symbols, limit=20)
        asked = await world.exchange.asked()
        [refused_at] = [request["at"] for request in asked if request["status"] == 429]
        # The other two of three were already sent when the answer arrived.
        assert sum(refused_at < request["at"] < refused_at + 1 for request in asked) <= 2
        assert sum(request["at"] >= refused_at + 1 for request in asked) >= 1
        await assert_healed(world, *symbols)


@pytest.mark.parametrize("name", ["rate_limit", "ban"])
async def test_too_long_a_pause_ends_the_run_and_no_request_follows(
    sqlite_database: str, name: str
) -> None:
    async with open_world(sqlite_database, request_concurrency=1) as world:
        await world.exchange.faults(klines(name, retry_after=120))
        with pytest.raises(RunUnavailableError, match="HTTP 4"):
            await world.collect("BTCUSDT", "ETHUSDT", "BNBUSDT", limit=20)
        assert len(await world.exchange.asked()) == 1
        for symbol in ("BTCUSDT", "ETHUSDT", "BNBUSDT"):
            assert await world.spans(symbol) == [Span(START, RUNNING, FAILED)]


async def test_repeated_pauses_end_the_run_after_the_last_attempt(
    sqlite_database: str,
) -> None:
    async with open_world(sqlite_database, request_attempts=2) as world:
        await world.exchange.faults(klines("rate_limit", retry_after=1))
        with pytest.raises(RunUnavailableError):
            await collect(world)
        first, second = await world.exchange.asked()
        assert second["at"] - first["at"] >= 1


async def test_the_error_says_how_long_to_wait(sqlite_database: str) -> None:
    async with open_world(sqlite_database) as world:
        source = await world.app.of(MarketParts).sources.get("binance")
        await world.exchange.faults({"name": "ban", "retry_after": 90})
        with pytest.raises(RateLimitedError) as raised:
            await source.server_time()
        assert raised.value.retry_after_s == 90
        with pytest.raises(RateLimitedError) as again:
            await source.instruments()
        assert 80 < again.value.retry_after_s <= 90
        assert await world.exchange.asked("/api/v3/exchangeInfo") == []
