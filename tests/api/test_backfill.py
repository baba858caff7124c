"""`POST /backfill` requests the missing part of a range, or all of it again."""

from __future__ import annotations

from typing import Any

import pytest

from penstock.domains.market import MarketParts
from penstock.moment import iso
from tests.api.backfills import (
    BACKFILL,
    BTC,
    FIRST,
    HOLE,
    NOW,
    backfill,
    dry_run,
    holed,
    opens,
    read,
    serving,
)
from tests.api.collector import collector
from tests.field.exchange import DAY, HOUR, MINUTE, Exchange, ms, row, rows


async def test_a_backfill_requests_gaps_that_are_not_due(database_url: str) -> None:
    async with serving(database_url, holed(HOLE)) as service:
        await service.collect("BTC/USDT", "1h", since=iso(FIRST))
        await service.collect("BTC/USDT", "1h")
        assert await read(service, "SELECT reason, asked FROM gap") == [("unconfirmed", 1)]
        task = await backfill(service)
        assert (task["task_type"], task["status"], task["counters"]["inserted"]) == (
            "backfill",
            "completed",
            0,
        )
        assert task["result"]["gaps"] == 1
        [gap] = task["result"]["first_gaps"]
        assert (gap["start"], gap["end"], gap["candles"], gap["reason"]) == (
            iso(HOLE.start),
            iso(HOLE.stop),
            3,
            "unconfirmed",
        )
        assert await read(service, "SELECT reason, asked FROM gap") == [("unconfirmed", 2)]


async def test_a_backfill_stores_late_candles_and_requests_nothing_far_from_them(
    sqlite_database: str,
) -> None:
    exchange = holed(HOLE)
    async with serving(sqlite_database, exchange) as service:
        await service.collect("BTC/USDT", "1h", since=iso(FIRST))
        exchange.table = holed().table
        assert (await service.collect("BTC/USDT", "1h"))["counters"]["inserted"] == 0
        exchange.requests.clear()
        counters = (await backfill(service))["counters"]
        assert (counters["inserted"], counters["updated"]) == (3, 0)
        assert await read(service, "SELECT * FROM gap") == []
        asked = [int(query["startTime"]) for query in exchange.asked() if "startTime" in query]
        assert min(asked) > HOLE.start - 10 * HOUR


async def test_only_recheck_requests_a_settled_outage(sqlite_database: str) -> None:
    exchange = holed(HOLE)
    async with serving(sqlite_database, exchange) as service:
        await service.collect("BTC/USDT", "1h", since=iso(FIRST))
        for _ in range(2):
            exchange.now += DAY
            await backfill(service)
        assert await read(
            service, "SELECT reason FROM gap WHERE end_time <= " + str(HOLE.stop)
        ) == [("outage",)]
        exchange.table = holed().table
        assert (await backfill(service))["counters"]["inserted"] == 0
        assert (await backfill(service, recheck=True, start=iso(HOLE.start), end=iso(HOLE.stop)))[
            "counters"
        ]["inserted"] == 3


async def test_recheck_reads_stored_candles_again_and_keeps_their_old_values(
    database_url: str,
) -> None:
    exchange = holed()
    at = ms("2025-03-04T03:00")
    async with serving(database_url, exchange) as service:
        await service.collect("BTC/USDT", "1h", since=iso(FIRST))
        exchange.table["BTCUSDT", "1h"] = [
            row(at, HOUR, volume="777.00000000") if candle[0] == at else candle
            for candle in exchange.table["BTCUSDT", "1h"]
        ]
        assert (await backfill(service))["counters"]["updated"] == 0
        beside = await backfill(service, recheck=True, start="2025-03-05", end="2025-03-06")
        assert (beside["counters"]["updated"], beside["counters"]["unchanged"] >= 24) == (0, True)
        assert await read(service, "SELECT * FROM restatement") == []
        task = await backfill(
            service, recheck=True, start="2025-03-04T02:00", end="2025-03-04T05:00"
        )
        assert task["counters"]["updated"] == 1
        kept = (
            "SELECT CAST(r.volume AS text), CAST(c.volume AS text), run.task_id FROM restatement r"
        )
        kept += " JOIN candle c ON c.series_id = r.series_id AND c.open_time = r.open_time"
        kept += " JOIN run ON run.id = r.restated_by"
        [(old, new, task_id)] = await read(service, kept)
        assert (old, new, str(task_id).replace("-", "")) == (
            row(at, HOUR)[5],
            "777.00000000",
            task["task_id"].replace("-", ""),
        )
        [told] = (await service.get("/api/v1/restatements?symbol=btcusdt&timeframe=1h"))["items"]
        assert (told["symbol"], told["open_time"], told["volume"]) == ("BTC/USDT", iso(at), old)
        for other in ("symbol=ETHUSDT", "timeframe=1m", f"start={iso(at + HOUR)}"):
            assert (await service.get(f"/api/v1/restatements?{other}"))["items"] == []


async def test_recheck_reads_stored_candles_again_from_its_start_up_to_now(
    sqlite_database: str,
) -> None:
    exchange = holed()
    at, older = ms("2025-03-06T03:00"), ms("2025-03-02T03:00")
    async with serving(sqlite_database, exchange) as service:
        await service.collect("BTC/USDT", "1h", since=iso(FIRST))
        known = exchange.table["BTCUSDT", "1h"]
        exchange.table["BTCUSDT", "1h"] = [
            row(candle[0], HOUR, volume="777.00000000") if candle[0] in {at, older} else candle
            for candle in known
        ]
        assert (await backfill(service, recheck=True, start="2025-03-05"))["counters"][
            "updated"
        ] == 1
        assert await read(service, "SELECT open_time FROM restatement") == [(at,)]


async def test_start_and_end_bound_the_requests(sqlite_database: str) -> None:
    async with serving(sqlite_database, holed()) as service:
        task = await backfill(service, start="2025-03-02T00:00:00Z", end="2025-03-03T00:00:00Z")
        assert task["status"] == "completed"
        assert await opens(service) == list(range(ms("2025-03-02"), ms("2025-03-03"), HOUR))
        await backfill(service, start="2025-03-01T12:00:00Z", end="2025-03-02T00:00:00Z")
        assert await opens(service) == list(range(ms("2025-03-01T12:00"), ms("2025-03-03"), HOUR))
        # The range after the end is in the ledger too.
        assert await read(
            service, "SELECT state, count(*) FROM coverage GROUP BY state ORDER BY state"
        ) == [("not_collected", 1), ("stored", 1)]


async def test_a_backfill_with_a_start_leaves_earlier_gaps_alone(database_url: str) -> None:
    earlier = range(ms("2025-03-03T06:00"), ms("2025-03-03T08:00"), HOUR)
    exchange = holed(earlier, HOLE)
    async with serving(database_url, exchange) as service:
        await service.collect("BTC/USDT", "1h", since=iso(FIRST))
        exchange.table = holed().table
        # Both are due by now.
        exchange.now += 2 * HOUR
        later = {"start": iso(HOLE.start), "end": iso(HOLE.stop)}
        estimate = await dry_run(service, **later)
        assert (estimate["gaps"], estimate["candles"]) == (1, len(HOLE))
        task = await backfill(service, **later)
        assert task["counters"]["inserted"] == len(HOLE)
        assert await read(service, "SELECT reason FROM gap") == [("unconfirmed",)]


async def test_a_backfill_leaves_candles_after_its_end_to_the_next_collection(
    sqlite_database: str,
) -> None:
    exchange = holed()
    async with serving(sqlite_database, exchange) as service:
        await service.collect("BTC/USDT", "1h", since=iso(FIRST))
        exchange.now += 5 * HOUR
        exchange.table["BTCUSDT", "1h"] += rows(
            exchange.table["BTCUSDT", "1h"][-1][0] + HOUR, exchange.now, HOUR
        )
        await backfill(
            service, recheck=True, start="2025-03-02T00:00:00Z", end="2025-03-03T00:00:00Z"
        )
        await service.collect("BTC/USDT", "1h")
        assert await opens(service) == [candle[0] for candle in exchange.table["BTCUSDT", "1h"]]
        assert await read(service, "SELECT state, count(*) FROM coverage GROUP BY state") == [
            ("stored", 1)
        ]


@pytest.mark.parametrize("path", [BACKFILL, "/start"])
async def test_an_end_without_a_start_collects_the_newest_candles_before_it(
    sqlite_database: str, path: str
) -> None:
    end = {"end" if path == BACKFILL else "until": "2025-03-06T00:30:00Z"}
    async with serving(sqlite_database, holed()) as service:
        await service.ended((await service.call("POST", path, BTC | end))[1]["task_id"])
        assert await opens(service) == list(
            range(ms("2025-03-06T01:00") - 100 * HOUR, ms("2025-03-06T01:00"), HOUR)
        )


async def test_newest_first_fetches_the_newest_piece_first(sqlite_database: str) -> None:
    begin, last = ms("2025-02-24T00:00"), ms("2025-03-10T12:00")
    second = begin + 20_000 * MINUTE
    table = {("BTCUSDT", "1m"): rows(begin, last)}
    exchange = Exchange(ms(NOW), table)
    async with serving(sqlite_database, exchange, request_concurrency=1) as service:
        task = await backfill(service, timeframes=["1m"], start=iso(begin), newest_first=True)
        assert task["counters"]["inserted"] == (last - begin) // MINUTE + 1
        assert await read(service, "SELECT state, count(*) FROM coverage GROUP BY state") == [
            ("stored", 1)
        ]
        pages = [
            int(query["startTime"])
            for query in exchange.asked()
            if query["limit"] == "1000" and "startTime" in query
        ]
        newer = [start > second - MINUTE * 5 for start in pages]
        assert newer == sorted(newer, reverse=True)
        assert {True, False} == set(newer)


async def test_a_backfill_of_a_held_series_is_refused_or_waits(database_url: str) -> None:
    async with collector(database_url, work=False) as service:
        first = await service.start("BTCUSDT ETHUSDT", "1h")
        status, problem = await service.call("POST", BACKFILL, BTC)
        assert (status, problem["code"], problem["task_id"]) == (409, "conflict", first)
        status, free = await service.call("POST", BACKFILL, BTC | {"timeframes": ["5m"]})
        assert (status, free["status"]) == (202, "submitted")
        status, problem = await service.call("POST", BACKFILL, BTC | {"timeframes": ["5m"]})
        assert (status, problem["task_id"]) == (409, free["task_id"])
        status, waiting = await service.call("POST", BACKFILL, BTC | {"wait": True})
        assert status == 202
        assert (await service.task(waiting["task_id"]))["status"] == "pending"
        await service.call("POST", f"/task/{first}/cancel")
        status, _ = await service.call("POST", BACKFILL, BTC | {"dry_run": True})
        assert status == 200, "a dry run conflicts with no run"


async def test_repeated_backfills_with_the_same_key_are_one_task(database_url: str) -> None:
    async with collector(database_url, work=False) as service:
        key = {"Idempotency-Key": "one"}
        first = await service.call("POST", BACKFILL, BTC | {"start": "2023-05-01"}, **key)
        assert first[0] == 202
        assert (
            await service.call("POST", BACKFILL, BTC | {"start": "2023-05-01T00:00:00Z"}, **key)
            == first
        )
        for other in (
            {"start": "2023-05-02"},
            {"start": "2023-05-01", "recheck": True},
            {"start": "2023-05-01", "newest_first": True},
        ):
            status, problem = await service.call("POST", BACKFILL, BTC | other, **key)
            assert (status, problem["field"]) == (422, "Idempotency-Key")


_WRONG: list[tuple[dict[str, Any], str]] = [
    ({"symbols": []}, "symbols"),
    ({"symbols": ["BTCUSTD"]}, "symbols"),
    ({"symbols": ["B\0TC"]}, "symbols.0"),
    ({"symbols": "BTCUSDT"}, "symbols"),
    ({"timeframes": ["7m"]}, "timeframes"),
    ({"timeframes": []}, "timeframes"),
    ({"exchange": "nowhere"}, "exchange"),
    ({"exchange": "cardtrader"}, "exchange"),
    ({"start": "yesterday"}, "start"),
    ({"start": "1969-12-31"}, "start"),
    ({"start": "2099-01-01"}, "start"),
    ({"end": "9999-12-31T23:59:59-12:00"}, "end"),
    ({"start": "2023-05-02", "end": "2023-05-01"}, "end"),
    ({"start": "2023-05-02", "end": "2023-05-02"}, "end"),
    ({"recheck": "perhaps"}, "recheck"),
    ({"newest_first": 2}, "newest_first"),
    ({"limit": 5}, "limit"),
    ({"since": "2023-05-02"}, "since"),
]


@pytest.mark.parametrize("dry", [False, True])
async def test_an_impossible_backfill_is_refused_in_a_sentence_and_nothing_is_submitted(
    sqlite_database: str, dry: bool, subtests: pytest.Subtests
) -> None:
    async with collector(sqlite_database, work=False) as service:
        await service.app.of(MarketParts).store.put_instruments(
            await (await service.app.of(MarketParts).sources.get("binance")).instruments()
        )
        for body, field in _WRONG:
            with subtests.test(repr(body)):
                status, problem = await service.call(
                    "POST", BACKFILL, BTC | {"dry_run": dry} | body
                )
                assert (status, problem["code"], problem["field"]) == (422, "invalid_input", field)
                assert len(problem["detail"]) < 300
        assert (await service.get("/tasks"))["tasks"] == []


async def test_a_collection_has_the_same_rules_for_its_range(
    sqlite_database: str, subtests: pytest.Subtests
) -> None:
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"since": "2099-01-01"}, "since"),
        ({"since": "2023-05-02", "until": "2023-05-02"}, "until"),
        ({"since": "2023-05-02", "until": "2023-05-01"}, "until"),
        ({"recheck": True}, "since"),
    ]
    async with collector(sqlite_database, work=False) as service:
        for body, field in wrong:
            with subtests.test(repr(body)):
                status, problem = await service.call("POST", "/start", BTC | body)
                assert (status, problem["code"], problem["field"]) == (422, "invalid_input", field)
        assert (await service.get("/tasks"))["tasks"] == []
