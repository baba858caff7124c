"""The composition root: the one place that makes the concrete things out of the settings."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, replace
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from penstock.core.http import HttpLimits
from penstock.core.runner import Job, Runner
from penstock.errors import ConflictError, InvalidInputError, StoreUnavailableError
from penstock.market import queries
from penstock.market.collect import Collection, CollectOptions, CollectRequest, CollectResult, Progress
from penstock.market.instrument import SeriesKey, find_instruments, parse_timeframes
from penstock.market.source import SourceConfig
from penstock.store.candles import SqlCandleStore
from penstock.store.database import Database, DatabaseOptions, parse_url, server_version
from penstock.store.migrate import migrate, newest_version, refuse_newer, version
from penstock.store.owner import owned
from penstock.store.runs import SqlRunLedger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from penstock.core.run import Run
    from penstock.market.instrument import Instrument
    from penstock.market.source import MarketSource
    from penstock.settings import Settings

# A symbol refresh that is older than this is repeated before a collection.
_INSTRUMENTS_FRESH_MS = 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectOrder:
    """What a user asks to collect, in the user's own words. `since` is ms since the epoch."""

    symbols: Sequence[str]
    timeframes: Sequence[str]
    exchange: str = "binance"
    limit: int | None = None
    since: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectReport:
    """What came of it: `requests`, `statements` and `seconds` of the run alone, without looking up the symbols."""

    run: Run
    result: CollectResult
    symbols: int
    timeframes: int
    statements: int
    seconds: float
    database: str


def make_source(settings: Settings, exchange: str) -> MarketSource:
    """The source of an exchange; InvalidInputError when no installed package brings one."""
    found = {point.name: point for point in entry_points(group="penstock.sources")}
    if exchange not in found:
        message = f"exchange: unknown exchange {exchange[:40]!r}; use one of {', '.join(sorted(found))}"
        raise InvalidInputError(message, field="exchange")
    limits = HttpLimits(
        deadline_s=settings.request_deadline_s,
        attempts=settings.request_attempts,
        longest_pause_s=settings.request_longest_pause_s,
        connections=settings.request_concurrency,
    )
    config = SourceConfig(http=limits)
    if exchange == "binance":
        config = replace(config, base_url=settings.binance_url, weight_per_minute=settings.binance_weight_per_minute)
    source: MarketSource = found[exchange].load()(config)
    return source


class App:
    """A database that this process may write to, and what works on it."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self.settings = settings
        self.database = database
        self.ledger = SqlRunLedger(database, dead_after_s=settings.dead_after_s)
        self.candles = SqlCandleStore(database)

    def source(self, exchange: str) -> MarketSource:
        """See make_source."""
        return make_source(self.settings, exchange)

    async def schema_version(self) -> str:
        """The schema version, read from the database now; StoreUnavailableError when it does not answer."""
        return await self.database.read(version) or "none"

    async def collect(self, order: CollectOrder, on_progress: Callable[[Progress], None] = lambda _: None) -> CollectReport:
        """Collect, and come back when all is written; bad input is refused before anything is."""
        timeframes = parse_timeframes(order.timeframes)
        async with self.source(order.exchange) as source:
            instruments = find_instruments(order.symbols, await self._instruments(source, order.symbols))
            series = [SeriesKey(instrument, timeframe) for instrument in instruments for timeframe in timeframes]
            request = CollectRequest(series=series, limit=order.limit, since=order.since)
            started, statements = time.monotonic(), self.database.statements
            run, result = await self._run(source, request, on_progress)
            return CollectReport(
                run=run,
                result=result,
                symbols=len(instruments),
                timeframes=len(timeframes),
                statements=self.database.statements - statements,
                seconds=time.monotonic() - started,
                database=masked_url(self.settings),
            )

    async def _run(self, source: MarketSource, request: CollectRequest, on_progress: Callable[[Progress], None]) -> tuple[Run, CollectResult]:
        settings = self.settings
        options = CollectOptions(grace_ms=int(settings.grace_s * 1000), concurrency=settings.request_concurrency)
        params = {"series": [str(key) for key in request.series], "limit": request.limit, "since": request.since}
        job = Job(
            kind="data_collection",
            params=params,
            resources=[key.resource for key in request.series],
            work=lambda run: Collection(source, self.candles, run, options, on_progress).collect(request),
        )
        return await Runner(self.ledger, heartbeat_s=settings.heartbeat_s).run(job)

    async def _instruments(self, source: MarketSource, names: Sequence[str]) -> Sequence[Instrument]:
        """What the exchange lists, from the database while that is fresh and holds all the names."""
        known, seen_at = await self.database.read(lambda connection: queries.instruments(connection, source.name))
        if time.time() * 1000 - seen_at < _INSTRUMENTS_FRESH_MS:
            with contextlib.suppress(InvalidInputError):
                find_instruments(names, known)
                return known
        listed = await source.instruments()
        find_instruments(names, listed)
        await self.candles.put_instruments(listed)
        return listed


async def refuse_bad_order(settings: Settings, order: CollectOrder) -> None:
    """InvalidInputError for what cannot be collected, ahead of `open_app`: on a machine that has no SQLite file yet, bad input makes none."""
    parse_timeframes(order.timeframes)
    async with make_source(settings, order.exchange) as source, _database(settings) as database:
        if database.file and not database.file.exists():
            find_instruments(order.symbols, await source.instruments())


@contextlib.asynccontextmanager
async def open_app(settings: Settings, *, serving: str | None = None) -> AsyncIterator[App]:
    """Own the database, bring it to the present schema, and end the runs of a process that died; `serving` is our own URL, if we have one.

    ConflictError when another process owns the SQLite file or a newer Penstock made the schema.
    """
    async with _owned_database(settings, serving=serving) as database:
        await migrate(database)
        app = App(settings, database)
        await app.ledger.fail_dead(dead_after_s=0 if database.file else None)
        yield app


@contextlib.asynccontextmanager
async def _owned_database(settings: Settings, *, serving: str | None) -> AsyncIterator[Database]:
    async with _database(settings) as database:
        with owned(database.file, url=serving) if database.file else contextlib.nullcontext():
            yield database


@contextlib.asynccontextmanager
async def open_reader(settings: Settings) -> AsyncIterator[Database]:
    """The database for reading, beside whoever owns it; StoreUnavailableError when there is none, ConflictError when it is of another version."""
    async with _database(settings) as database:
        if database.file and not database.file.exists():
            message = f"there is no database at {database.url.database} yet; `penstock collect` makes one"
            raise StoreUnavailableError(message)
        found = await database.read(version)
        refuse_newer(found)
        if found != newest_version():
            message = f"the database has schema version {found or 'none'}, this Penstock works with {newest_version()}; run `penstock migrate`"
            raise ConflictError(message)
        yield database


@contextlib.asynccontextmanager
async def _database(settings: Settings) -> AsyncIterator[Database]:
    options = DatabaseOptions(pool_size=settings.database_pool_size, threads=settings.database_threads, timeout_s=settings.database_timeout_s)
    database = Database(parse_url(settings.database_url), options)
    try:
        yield database
    finally:
        await database.close()


async def migrate_database(settings: Settings) -> tuple[str | None, str]:
    """Bring the database to the present schema; gives the version before (None: it was empty) and after."""
    async with _owned_database(settings, serving=None) as database:
        return await migrate(database)


def masked_url(settings: Settings) -> str:
    """The database's URL without its password."""
    url = parse_url(settings.database_url)
    return url.set(drivername=url.get_backend_name(), query={}).render_as_string(hide_password=True)


async def check_database(settings: Settings) -> str:
    """What is there, in words; raises what stands in the way of using it."""
    async with _database(settings) as database:
        if database.file and not database.file.exists():
            return "none yet, the first collection makes it"
    async with open_reader(settings) as database:
        return await database.read(lambda connection: f"{server_version(connection)} answers, schema {version(connection)}")


async def check_exchange(settings: Settings, exchange: str) -> str:
    """How its clock stands to ours, in words; raises what stands in the way of using it."""
    async with make_source(settings, exchange) as source:
        return f"reachable, its clock is {(await source.server_time()) / 1000 - time.time():+.1f} s from ours"
