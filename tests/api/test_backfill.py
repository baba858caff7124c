"""`POST /backfill`: what is missing of a range is asked for, or all of it once more; and what that would take is told without asking."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import func, select, text, update

from penstock.columns import metadata
from penstock.domains.market import MarketParts
from penstock.market.tables import instrument
from penstock.moment import iso
from tests.api.collector import collector
from tests.field.exchange import DAY, HOUR, MINUTE, Exchange, answering, ms, row, rows

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy import Connection

    from tests.api.collector import Collector

_BACKFILL = "/api/v1/backfill"
_BTC = {"symbols": ["BTC/USDT"], "timeframes": ["1h"]}
_NOW = "2025-03-10T12:00:30"
_FIRST = ms("2025-03-01T00:00")
_HOLE = range(ms("2025-03-05T06:00"), ms("2025-03-05T09:00"), HOUR)


def holed(*holes: range) -> Exchange:
    """Hours up to the one that runs, without those in the holes."""
    table = [one for one in rows(_FIRST, _NOW, HOUR) if not any(one[0] in hole for hole in holes)]
    return Exchange(
        ms(_NOW), {("BTCUSDT", "1h"): table, ("BTCUSDT", "1d"): rows("2025-03-01T00:00", _NOW, DAY)}
    )


@contextlib.asynccontextmanager
async def serving(database_url: str, exchange: Exchange, **given: Any) -> AsyncIterator[Collector]:
    async with (
        answering(exchange),
        collector(database_url, binance_url=exchange.url, **given) as service,
    ):
        yield service


async def backfill(service: Collector, **body: object) -> dict[str, Any]:
    """The task of a backfill that is not refused, once it has ended."""
    status, answer = await service.call("POST", _BACKFILL, _BTC | body)
    assert status == 202, answer
    assert answer.keys() == {"task_id", "status", "message"}
    return await service.ended(answer["task_id"])


async def dry_run(service: Collector, **body: object) -> dict[str, Any]:
    status, answer = await service.call("POST", _BACKFILL, _BTC | {"dry_run": True} | body)
    assert status == 200, answer
    return dict(answer)


async def read(service: Collector, query: str) -> list[tuple[Any, ...]]:
    def found(connection: Connection) -> list[tuple[Any, ...]]:
        return [tuple(one) for one in connection.execute(text(query))]

    return await service.app.database.read(found)


async def rows_of_tables(service: Collector) -> dict[str, int]:
    """How many rows each table has."""
    counts = {
        table.name: select(func.count()).select_from(table) for table in metadata.sorted_tables
    }
    return await service.app.database.read(
        lambda connection: {name: connection.scalar(count) or 0 for name, count in counts.items()}
    )


async def opens(service: Collector) -> list[int]:
    status, page = await service.call(
        "GET", "/api/v1/candles?symbol=BTCUSDT&timeframe=1h&limit=1000&start=2025-01-01"
    )
    assert status == 200, page
    return [ms(one["open_time"].removesuffix("Z")) for one in page["candles"]]


async def test_a_backfill_asks_for_gaps_that_are_not_due(database_url: str) -> None:
    async with serving(database_url, holed(_HOLE)) as service:
        await service.collect("BTC/USDT", "1h", since=iso(_FIRST))
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
            iso(_HOLE.start),
            iso(_HOLE.stop),
            3,
            "unconfirmed",
        )
        assert await read(service, "SELECT reason, asked FROM gap") == [("unconfirmed", 2)]


async def test_it_stores_what_came_since_and_asks_for_nothing_far_from_it(
    sqlite_database: str,
) -> None:
    exchange = holed(_HOLE)
    async with serving(sqlite_database, exchange) as service:
        await service.collect("BTC/USDT", "1h", since=iso(_FIRST))
        exchange.table = holed().table
        assert (await service.collect("BTC/USDT", "1h"))["counters"]["inserted"] == 0
        exchange.requests.clear()
        counters = (await backfill(service))["counters"]
        assert (counters["inserted"], counters["updated"]) == (3, 0)
        assert await read(service, "SELECT * FROM gap") == []
        asked = [int(query["startTime"]) for query in exchange.asked() if "startTime" in query]
        assert min(asked) > _HOLE.start - 10 * HOUR


async def test_a_settled_outage_is_asked_for_by_recheck_only(sqlite_database: str) -> None:
    exchange = holed(_HOLE)
    async with serving(sqlite_database, exchange) as service:
        await service.collect("BTC/USDT", "1h", since=iso(_FIRST))
        for _ in range(2):
            exchange.now += DAY
            await backfill(service)
        assert await read(
            service, "SELECT reason FROM gap WHERE end_time <= " + str(_HOLE.stop)
        ) == [("outage",)]
        exchange.table = holed().table
        assert (await backfill(service))["counters"]["inserted"] == 0
        assert (await backfill(service, recheck=True, start=iso(_HOLE.start), end=iso(_HOLE.stop)))[
            "counters"
        ]["inserted"] == 3


async def test_recheck_reads_again_what_is_stored_and_leaves_what_it_was(database_url: str) -> None:
    exchange = holed()
    at = ms("2025-03-04T03:00")
    async with serving(database_url, exchange) as service:
        await service.collect("BTC/USDT", "1h", since=iso(_FIRST))
        exchange.table["BTCUSDT", "1h"] = [
            row(at, HOUR, volume="777.00000000") if one[0] == at else one
            for one in exchange.table["BTCUSDT", "1h"]
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
        kept += " JOIN candle c ON c.series_id = r.series_id AND c.open_time = r.open_time JOIN run ON run.id = r.restated_by"
        [(old, new, task_id)] = await read(service, kept)
        assert (old, new, str(task_id).replace("-", "")) == (
            row(at, HOUR)[5],
            "777.00000000",
            task["task_id"].replace("-", ""),
        )


async def test_recheck_reads_up_to_now_what_is_stored_behind_its_start(
    sqlite_database: str,
) -> None:
    exchange = holed()
    at, older = ms("2025-03-06T03:00"), ms("2025-03-02T03:00")
    async with serving(sqlite_database, exchange) as service:
        await service.collect("BTC/USDT", "1h", since=iso(_FIRST))
        known = exchange.table["BTCUSDT", "1h"]
        exchange.table["BTCUSDT", "1h"] = [
            row(one[0], HOUR, volume="777.00000000") if one[0] in {at, older} else one
            for one in known
        ]
        assert (await backfill(service, recheck=True, start="2025-03-05"))["counters"][
            "updated"
        ] == 1
        assert await read(service, "SELECT open_time FROM restatement") == [(at,)]


async def test_start_and_end_bound_what_is_asked_for(sqlite_database: str) -> None:
    async with serving(sqlite_database, holed()) as service:
        task = await backfill(service, start="2025-03-02T00:00:00Z", end="2025-03-03T00:00:00Z")
        assert task["status"] == "completed"
        assert await opens(service) == list(range(ms("2025-03-02"), ms("2025-03-03"), HOUR))
        await backfill(service, start="2025-03-01T12:00:00Z", end="2025-03-02T00:00:00Z")
        assert await opens(service) == list(range(ms("2025-03-01T12:00"), ms("2025-03-03"), HOUR))
        # What follows the end is in the ledger too.
        assert await read(
            service, "SELECT state, count(*) FROM coverage GROUP BY state ORDER BY state"
        ) == [("not_collected", 1), ("stored", 1)]


async def test_an_end_leaves_what_follows_to_the_next_collection(sqlite_database: str) -> None:
    exchange = holed()
    async with serving(sqlite_database, exchange) as service:
        await service.collect("BTC/USDT", "1h", since=iso(_FIRST))
        exchange.now += 5 * HOUR
        exchange.table["BTCUSDT", "1h"] += rows(
            exchange.table["BTCUSDT", "1h"][-1][0] + HOUR, exchange.now, HOUR
        )
        await backfill(
            service, recheck=True, start="2025-03-02T00:00:00Z", end="2025-03-03T00:00:00Z"
        )
        await service.collect("BTC/USDT", "1h")
        assert await opens(service) == [one[0] for one in exchange.table["BTCUSDT", "1h"]]
        assert await read(service, "SELECT state, count(*) FROM coverage GROUP BY state") == [
            ("stored", 1)
        ]


@pytest.mark.parametrize("path", [_BACKFILL, "/start"])
async def test_an_end_without_a_start_gives_the_newest_candles_ahead_of_it(
    sqlite_database: str, path: str
) -> None:
    end = {"end" if path == _BACKFILL else "until": "2025-03-06T00:30:00Z"}
    async with serving(sqlite_database, holed()) as service:
        await service.ended((await service.call("POST", path, _BTC | end))[1]["task_id"])
        assert await opens(service) == list(
            range(ms("2025-03-06T01:00") - 100 * HOUR, ms("2025-03-06T01:00"), HOUR)
        )


async def test_newest_first_fetches_the_newest_piece_first(sqlite_database: str) -> None:
    begin, last = ms("2025-02-24T00:00"), ms("2025-03-10T12:00")
    second = begin + 20_000 * MINUTE
    table = {("BTCUSDT", "1m"): rows(begin, last)}
    exchange = Exchange(ms(_NOW), table)
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


_DRY: dict[str, tuple[dict[str, Any], bool]] = {
    "an empty series": ({"start": "2025-03-02T00:00:00Z"}, False),
    "an empty series from before its listing on": ({"start": "2024-12-01T00:00:00Z"}, False),
    "an empty series without a start": ({}, False),
    "an empty series up to an end": ({"end": "2025-03-05T00:00:00Z"}, False),
    "a range of an empty series": (
        {"start": "2025-03-02T00:00:00Z", "end": "2025-03-05T00:00:00Z"},
        False,
    ),
    "gaps": ({}, True),
    "gaps of a range": ({"start": "2025-03-04T00:00:00Z", "end": "2025-03-06T00:00:00Z"}, True),
    "before what is stored": ({"start": "2025-03-01T00:00:00Z"}, True),
    "nothing": ({"start": "2025-03-06T00:00:00Z", "end": "2025-03-07T00:00:00Z"}, True),
    "all of it": ({"recheck": True}, True),
    "a range once more": (
        {"recheck": True, "start": "2025-03-02T05:00:00Z", "end": "2025-03-08T00:00:00Z"},
        True,
    ),
}
_HOLES = (
    _HOLE,
    range(ms("2025-03-03T06:00"), ms("2025-03-03T07:00"), HOUR),
    range(ms("2025-03-08T01:00"), ms("2025-03-08T03:00"), HOUR),
)


async def _check_dry_run(
    service: Collector, exchange: Exchange, wanted: dict[str, Any]
) -> dict[str, Any]:
    """What it says is the most that the run then takes; it asks for nothing and leaves nothing."""
    exchange.requests.clear()
    before = await rows_of_tables(service)
    told = await dry_run(service, **wanted)
    assert told.keys() == {"gaps", "candles", "requests", "share", "seconds"}
    assert exchange.requests == []
    assert await rows_of_tables(service) == before
    did = (await backfill(service, **wanted))["counters"]
    assert told["candles"] >= did["inserted"] + did["updated"]
    assert told["requests"] >= did["requests"]
    # Nobody can use a bound that is far from it.
    assert told["requests"] <= 3 * did["requests"] + 6
    assert told["seconds"] >= 1
    return told


@pytest.mark.parametrize("name", _DRY)
async def test_a_dry_run_says_the_most_that_the_run_then_takes(
    sqlite_database: str, name: str
) -> None:
    wanted, collected = _DRY[name]
    exchange = holed(*_HOLES)
    async with serving(sqlite_database, exchange) as service:
        # Only a collection tells Penstock how late it is there.
        await service.collect("BTC/USDT", "1d")
        if collected:
            await service.collect("BTC/USDT", "1h", since="2025-03-02T00:00:00Z")
        await _check_dry_run(service, exchange, wanted)


async def test_a_dry_run_counts_what_is_due_and_what_a_long_range_takes(database_url: str) -> None:
    exchange = holed(*_HOLES)
    exchange.table["BTCUSDT", "1m"] = rows("2025-02-20T00:00", "2025-03-10T12:00")
    async with serving(database_url, exchange, binance_weight_per_minute=6_000) as service:
        await service.collect("BTC/USDT", "1h", since="2025-03-01T00:00:00Z")
        for _ in range(2):
            exchange.now += DAY
            exchange.table["BTCUSDT", "1h"] += rows(
                exchange.table["BTCUSDT", "1h"][-1][0] + HOUR, exchange.now, HOUR
            )
            await backfill(service)
        assert await read(service, "SELECT DISTINCT reason FROM gap") == [("outage",)]
        settled = await dry_run(service, end="2025-03-09T00:00:00Z")
        assert (settled["gaps"], settled["candles"]) == (0, 0)
        exchange.now += 8 * DAY
        await service.collect("BTC/USDT", "1h", until="2025-03-01T01:00:00Z")
        due = await _check_dry_run(service, exchange, {"end": "2025-03-09T00:00:00Z"})
        assert due["gaps"] > 0
        long = await _check_dry_run(
            service,
            exchange,
            {"timeframes": ["1m"], "start": "2025-02-20T00:00:00Z", "end": "2025-03-10T12:00:00Z"},
        )
        assert (long["gaps"], long["candles"]) == (1, 18 * 1440 + 720)
        assert long["share"] == round(100 * long["requests"] / 3_000, 2) > 0


async def test_a_dry_run_goes_by_what_is_known_however_old_that_is(sqlite_database: str) -> None:
    exchange = holed()
    async with serving(sqlite_database, exchange) as service:
        for symbols in (["BTC/USDT"], None):
            status, problem = await service.call(
                "POST", _BACKFILL, _BTC | {"symbols": symbols, "dry_run": True}
            )
            assert (status, problem["field"]) == (422, "symbols")
            assert "first symbol refresh" in problem["detail"]
        assert exchange.requests == []
        await service.ended((await service.call("POST", "/refresh-symbols"))[1]["task_id"])
        old = update(instrument).values(seen_at=instrument.c.seen_at - 10 * DAY)
        await service.app.database.write(lambda connection: connection.execute(old))
        await _check_dry_run(service, exchange, {})
        exchange.requests.clear()
        status, problem = await service.call(
            "POST", _BACKFILL, _BTC | {"symbols": ["BTCUSTD"], "dry_run": True}
        )
        assert (status, problem["field"]) == (422, "symbols")
        assert "did you mean BTC/USDT" in problem["detail"]
        assert exchange.requests == []


async def test_while_a_series_is_held_it_is_refused_or_waits(database_url: str) -> None:
    async with collector(database_url, work=False) as service:
        first = await service.start("BTCUSDT ETHUSDT", "1h")
        status, problem = await service.call("POST", _BACKFILL, _BTC)
        assert (status, problem["code"], problem["task_id"]) == (409, "conflict", first)
        status, free = await service.call("POST", _BACKFILL, _BTC | {"timeframes": ["5m"]})
        assert (status, free["status"]) == (202, "submitted")
        status, problem = await service.call("POST", _BACKFILL, _BTC | {"timeframes": ["5m"]})
        assert (status, problem["task_id"]) == (409, free["task_id"])
        status, waiting = await service.call("POST", _BACKFILL, _BTC | {"wait": True})
        assert status == 202
        assert (await service.task(waiting["task_id"]))["status"] == "pending"
        await service.call("POST", f"/task/{first}/cancel")
        status, _ = await service.call("POST", _BACKFILL, _BTC | {"dry_run": True})
        assert status == 200, "who only asks is in nobody's way"


async def test_the_same_order_under_the_same_key_is_one_task(database_url: str) -> None:
    async with collector(database_url, work=False) as service:
        key = {"Idempotency-Key": "one"}
        first = await service.call("POST", _BACKFILL, _BTC | {"start": "2023-05-01"}, **key)
        assert first[0] == 202
        assert (
            await service.call("POST", _BACKFILL, _BTC | {"start": "2023-05-01T00:00:00Z"}, **key)
            == first
        )
        for other in (
            {"start": "2023-05-02"},
            {"start": "2023-05-01", "recheck": True},
            {"start": "2023-05-01", "newest_first": True},
        ):
            status, problem = await service.call("POST", _BACKFILL, _BTC | other, **key)
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
async def test_what_cannot_be_filled_is_refused_in_a_sentence_and_nothing_is_submitted(
    sqlite_database: str, dry: bool, subtests: pytest.Subtests
) -> None:
    async with collector(sqlite_database, work=False) as service:
        await service.app.of(MarketParts).store.put_instruments(
            await (await service.app.of(MarketParts).sources.get("binance")).instruments()
        )
        for body, field in _WRONG:
            with subtests.test(repr(body)):
                status, problem = await service.call(
                    "POST", _BACKFILL, _BTC | {"dry_run": dry} | body
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
                status, problem = await service.call("POST", "/start", _BTC | body)
                assert (status, problem["code"], problem["field"]) == (422, "invalid_input", field)
        assert (await service.get("/tasks"))["tasks"] == []
