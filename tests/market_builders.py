"""Instruments, candles, pages and an open store, for tests of market and store."""

from __future__ import annotations

import contextlib
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from alembic import command
from alembic.config import Config
from sqlalchemy import select, text

from penstock.market.candle import Candle, Rejected
from penstock.market.collect.coverage import CoverageChange, Look, Span
from penstock.market.collect.page import CandleFlush, CandlePage, SeriesTarget
from penstock.market.instrument import Instrument, SeriesKey, Status
from penstock.market.tables import candle as candle_table
from penstock.market.timeframe import Timeframe
from penstock.runs.context import RunContext, Shown
from penstock.runs.run import Counters, Run, RunEnd, RunState, Submission
from penstock.store.connect import connect, parse_url
from penstock.store.migrate import migrate
from penstock.store.session.database import Database, DatabaseOptions
from penstock.store.write.candles import SqlCandleStore
from penstock.store.write.runs.merge import SqlWriting
from tests.dispatches import ledger_over

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from sqlalchemy import Connection

    from penstock.runs.context import Writing
    from penstock.store.write.runs.ledger import SqlRunLedger

T = TypeVar("T")

MINUTE = 60_000
# A Monday, the first of a month and a year: every timeframe but 3d opens a candle here.
ORIGIN = 1_514_764_800_000


def instrument(
    native: str = "BTCUSDT", *, quote: str = "USDT", status: Status = Status.TRADING
) -> Instrument:
    return Instrument(
        exchange="binance",
        native_symbol=native,
        base=native.removesuffix(quote),
        quote=quote,
        status=status,
    )


def key(native: str = "BTCUSDT", timeframe: Timeframe = Timeframe.M1) -> SeriesKey:
    return SeriesKey(instrument(native), timeframe)


def candle(open_time: int = ORIGIN, /, **given: Any) -> Candle:
    """A valid one-minute candle; `given` replaces fields."""
    fields: dict[str, Any] = {
        "open_time": open_time,
        "open": "100.00000000",
        "high": "110.00000000",
        "low": "90.00000000",
        "close": "105.00000000",
        "volume": "12.50000000",
        "close_time": open_time + MINUTE - 1,
        "quote_volume": "1300.00000000",
        "trades": 7,
        "taker_base": "6.00000000",
        "taker_quote": "620.00000000",
    }
    return Candle(**(fields | given))


def candles(first: int, count: int, *, step: int = MINUTE) -> list[Candle]:
    """Consecutive candles that differ from each other."""
    opens = range(first, first + count * step, step)
    return [
        candle(at, close_time=at + step - 1, close=f"{100 + place % 10}.5", trades=place)
        for place, at in enumerate(opens)
    ]


@dataclass(frozen=True)
class Unfenced:
    """A ledger that lets a test write without a run."""

    database: Database

    async def write(self, run: Run, change: Callable[[Writing], T], **_: object) -> T:
        return await self.database.write(lambda connection: change(SqlWriting(connection, run)))

    async def submit(self, submission: Submission, *, by: Run | None = None) -> uuid.UUID:
        raise NotImplementedError


def unfenced(database: Database) -> RunContext:
    """A context without a run."""
    return RunContext(
        Run(id=0, task_id=uuid.UUID(int=0), fence=0, kind="nothing"), Unfenced(database)
    )


@dataclass(frozen=True)
class Opened:
    """A migrated database with its store and ledger."""

    database: Database
    store: SqlCandleStore
    ledger: SqlRunLedger

    async def run(self, *resources: str) -> Run:
        """A started run."""
        return await self.ledger.start(
            Submission(kind="data_collection", params={}, resources=resources)
        )

    def context(self, run: Run) -> RunContext:
        return RunContext(run, self.ledger)

    async def context_of_a_run(self) -> RunContext:
        return self.context(await self.run())

    async def finish(self, run: Run) -> None:
        await self.ledger.finish(run, RunEnd(state=RunState.SUCCEEDED))

    async def target(self, series: SeriesKey | None = None) -> SeriesTarget:
        series = series or key()
        [target] = await self.store.open_series(unfenced(self.database), [series])
        return target

    async def write(
        self,
        run: Run,
        *pages: CandlePage,
        coverage: Sequence[tuple[int, CoverageChange]] = (),
        requests: int = 0,
        progress: int = 0,
        message: str = "collecting",
    ) -> Counters:
        run.requests.sent += requests
        flush = CandleFlush(pages, coverage, Shown(progress, message))
        return (await self.store.flush(self.context(run), flush)).counters

    async def rows(self, statement: str, **parameters: object) -> list[dict[str, Any]]:
        def query(connection: Connection) -> list[dict[str, Any]]:
            return [dict(row) for row in connection.execute(text(statement), parameters).mappings()]

        return await self.database.read(query)

    async def value(self, statement: str, **parameters: object) -> Any:  # noqa: ANN401 - any
        [row] = await self.rows(statement, **parameters)
        [found] = row.values()
        return found

    async def change(self, statement: str, **parameters: object) -> None:
        await self.database.write(
            lambda connection: connection.execute(text(statement), parameters)
        )

    async def table(self) -> list[dict[str, Any]]:
        """All candles, exact and in order, without their run ids."""
        columns = [column for column in candle_table.c if column.name != "run_id"]
        query = select(*columns).order_by(candle_table.c.series_id, candle_table.c.open_time)
        return await self.database.read(
            lambda connection: [dict(row) for row in connection.execute(query).mappings()]
        )

    async def spans(self, series: SeriesKey | None = None) -> list[Span]:
        return list((await self.target(series)).coverage)

    async def run_row(self, run: Run) -> Mapping[str, Any]:
        [row] = await self.rows("SELECT * FROM run WHERE id = :id", id=run.id)
        return row


@contextlib.asynccontextmanager
async def opened(
    url: str, *, migrated: bool = True, dead_after_s: float = 30.0, **options: Any
) -> AsyncIterator[Opened]:
    """The database at `url`, with the newest schema."""
    database = connect(parse_url(url), DatabaseOptions(**options))
    try:
        if migrated:
            await migrate(database)
        yield Opened(
            database, SqlCandleStore(database), ledger_over(database, dead_after_s=dead_after_s)
        )
    finally:
        await database.close()


def page(
    target: SeriesTarget,
    rows: Sequence[Candle],
    *,
    closed: int | None = None,
    rejected: Sequence[Rejected] = (),
) -> CandlePage:
    """A page; all rows are closed unless `closed` gives their number."""
    closed = len(rows) if closed is None else closed
    return CandlePage(
        target=target, candles=rows, closed=closed, rejected=rejected, look=Look(ORIGIN, "binance")
    )


def migrate_to(connection: Connection, revision: str) -> None:
    """Migrate to an older version."""
    config = Config()
    config.set_main_option("script_location", "penstock.store:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
