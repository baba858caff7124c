"""A database from before evidence: its outages are doubted, and runs correct wrong ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import insert
from structlog.testing import capture_logs

from penstock.market.collect.ranges import Wish
from penstock.market.instrument import SeriesKey
from penstock.market.tables import candle as candle_table
from penstock.market.tables import coverage, instrument, series
from penstock.market.timeframe import Timeframe
from penstock.store.migrate import migrate, newest_version
from tests.listed_source import ListedSource
from tests.market_builders import ORIGIN, candles, migrate_to, opened
from tests.market_builders import instrument as built_instrument
from tests.store.test_truth import DAY, run_once, truth

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from penstock.market.candle import Candle
    from tests.market_builders import Opened

HOUR = 3_600_000
BEFORE = "0005"
_KEY = SeriesKey(built_instrument(), Timeframe.H1)
_LISTED = ORIGIN - 30 * HOUR
_NOW = ORIGIN + 100 * HOUR
# No trades happened in these hours; all other missing hours existed at the exchange.
_TRUE_OUTAGE = range(ORIGIN + 70 * HOUR, ORIGIN + 73 * HOUR)
_LOST = range(ORIGIN + 40 * HOUR, ORIGIN + 60 * HOUR)


def exchange_rows() -> list[Candle]:
    return [row for row in candles(_LISTED, 1_200, step=HOUR) if row.open_time not in _TRUE_OUTAGE]


def fill(connection: Connection) -> None:
    """The old version's state: a wrong gap before the listing, a wrong and a true outage."""
    migrate_to(connection, BEFORE)
    instrument_row = {
        "exchange": "binance",
        "market": "spot",
        "native_symbol": "BTCUSDT",
        "base": "BTC",
        "quote": "USDT",
        "symbol": "BTC/USDT",
    }
    connection.execute(
        insert(instrument).values(id=1, **instrument_row, status="trading", seen_at=_NOW)
    )
    connection.execute(insert(series).values(id=1, instrument_id=1, timeframe="1h"))
    stored = [
        row
        for row in exchange_rows()
        if ORIGIN <= row.open_time < _NOW and row.open_time not in _LOST
    ]
    rows = [{name: getattr(row, name) for name in row.__struct_fields__} for row in stored]
    connection.execute(
        insert(candle_table), [row | {"series_id": 1, "run_id": 1, "closed": True} for row in rows]
    )
    spans: list[dict[str, Any]] = [
        {"start_time": -2 * HOUR, "end_time": -HOUR, "state": "failed"},
        {"start_time": -HOUR, "end_time": HOUR, "state": "not_collected"},
        {"start_time": HOUR, "end_time": ORIGIN, "state": "not_listed"},
        {"start_time": ORIGIN, "end_time": _LOST.start, "state": "stored"},
        {"start_time": _LOST.start, "end_time": _LOST.stop, "state": "outage"},
        {"start_time": _LOST.stop, "end_time": _TRUE_OUTAGE.start, "state": "stored"},
        {"start_time": _TRUE_OUTAGE.start, "end_time": _TRUE_OUTAGE.stop, "state": "outage"},
        {"start_time": _TRUE_OUTAGE.stop, "end_time": _NOW, "state": "stored"},
    ]
    connection.execute(insert(coverage), [span | {"series_id": 1, "run_id": 1} for span in spans])


async def test_claims_based_on_one_answer_are_doubted_and_ordinary_runs_correct_wrong_outages(
    empty_database_url: str,
) -> None:
    async with opened(empty_database_url, migrated=False) as store:
        await store.database.write(fill)
        with capture_logs() as logs:
            assert await migrate(store.database) == (BEFORE, newest_version())
        [warning] = [line for line in logs if "penstock verify --against rest" in line["event"]]
        assert warning["gaps"] == 3
        await doubted(store)
        await healed(store)


async def doubted(store: Opened) -> None:
    """Nothing is settled, each gap has one answer, and none lies before time 0."""
    spans = await store.spans(_KEY)
    assert [(span.start, span.state.value) for span in spans if span.state.value != "stored"] == [
        (0, "not_collected"),
        (HOUR, "unconfirmed"),
        (_LOST.start, "unconfirmed"),
        (_TRUE_OUTAGE.start, "unconfirmed"),
    ]
    evidence = [span.evidence for span in spans if span.state.value == "unconfirmed"]
    assert [(row.asked, row.source) for row in evidence if row] == [(1, "binance")] * 3
    due = [row.due - _NOW for row in evidence if row and row.due is not None]
    assert due == [0, DAY, 2 * DAY], "spread over three days"


async def healed(store: Opened) -> None:
    rows = exchange_rows()
    source = ListedSource(rows, _NOW + HOUR // 60, page_limit=100)
    for _ in range(60):
        await run_once(store, source, Wish())
        source.now += 12 * HOUR
    source.now += HOUR // 20
    await run_once(store, source, Wish())
    kept = {row["open_time"]: row["trades"] for row in await store.table()}
    assert kept == {row.open_time: row.trades for row in rows if row.open_time <= source.now}
    ledger = [(span.start, span.end, span.state.value) for span in await store.spans(_KEY)]
    expected = truth(rows, HOUR, source.now)
    assert ledger == [(0, HOUR, "not_collected"), *expected]
