"""What the market domain runs: collections, asked for or scheduled, and symbol refreshes. Orders become submissions, runs become work."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Protocol, cast

import structlog

from penstock.errors import InvalidInputError, RetryableError
from penstock.market import coverage_queries, queries
from penstock.market.backfill import estimate
from penstock.market.collect.collection import Collection, CollectRequest
from penstock.market.collect.coverage import Coverage
from penstock.market.collect.page import CandleStore, Target
from penstock.market.collect.ranges import Wish, check_range
from penstock.market.configured import DEFAULT_EXCHANGE
from penstock.market.instrument import (
    Directory,
    Instrument,
    SeriesKey,
    Status,
    find_instruments,
    name_instruments,
    parse_timeframes,
)
from penstock.market.refresh import InstrumentStore, refresh_list
from penstock.market.timeframe import Timeframe
from penstock.runs.run import LogNote, Priority, Submission

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from sqlalchemy import Connection

    from penstock.collection.domain import Busy
    from penstock.collection.reader import Reader
    from penstock.market.backfill import BackfillOrder, Estimate
    from penstock.market.collect.collection import CollectOptions, CollectResult
    from penstock.market.collect.repeats import Repeats
    from penstock.market.configured import Configured
    from penstock.market.refresh import Refreshed
    from penstock.market.source import MarketSource
    from penstock.runs.context import RunContext
    from penstock.runs.schedule import Schedule

_log: structlog.stdlib.BoundLogger = structlog.get_logger()

COLLECTION = "data_collection"
SCHEDULED_COLLECTION = "scheduled_data_collection"
SYMBOL_REFRESH = "symbol_refresh"
BACKFILL = "backfill"
AUDIT = "audit"
# All that collect candles.
COLLECTING = (COLLECTION, SCHEDULED_COLLECTION, BACKFILL, AUDIT)

# A symbol refresh that is older than this is repeated before it is relied on: more than the hour after which a service repeats it by itself, so
# that nobody's order waits for the exchange.
_FRESH_MS = 2 * 3_600_000
# Of a series that is still empty.
MOST_CANDLES = 10_000_000
# What an audit reads again.
_AUDITED_MS = 48 * 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectOrder:
    """What a user asks to collect, in the user's own words; without symbols or timeframes all configured ones.

    `since` and `until` (ms) bound it; `recheck` reads again what is there from `since` on, and what is known not to be. InvalidInputError for a
    range that is none.
    """

    symbols: Sequence[str] | None = None
    timeframes: Sequence[str] | None = None
    exchange: str = DEFAULT_EXCHANGE
    limit: int | None = None
    since: int | None = None
    until: int | None = None
    recheck: bool = False

    def __post_init__(self) -> None:
        check_range(self.since, self.until, names=("since", "until"))
        if self.recheck and self.since is None:
            message = "since: recheck needs to know from when on; give a time, such as 2025-01-31"
            raise InvalidInputError(message, field="since")


class Sources(Protocol):
    """The sources of a process, open as long as it works."""

    @property
    def exchanges(self) -> Sequence[str]:
        """The exchanges that there are."""

    async def get(self, exchange: str) -> MarketSource:
        """The source of an exchange; InvalidInputError when there is none."""

    def repeats(self, source: MarketSource) -> Repeats:
        """What runs may spend on gaps that were asked for before."""


class Store(CandleStore, InstrumentStore, Protocol):
    """Where a market run writes."""


class MarketRuns:
    """Makes submissions of orders, and does the work of the runs that come of them; see penstock.collection.domain.ConfigRules too."""

    kind = COLLECTION

    def __init__(
        self,
        sources: Sources,
        reader: Reader,
        store: Store,
        configured: Configured,
        options: CollectOptions,
    ) -> None:
        self._sources = sources
        self._reader = reader
        self._store = store
        self._options = options
        self.configured = configured
        self._unknown: tuple[str, ...] = ()

    @property
    def exchanges(self) -> Sequence[str]:
        """See ConfigRules."""
        return self._sources.exchanges

    async def collection(
        self, order: CollectOrder, *, wait: bool = False, idempotency_key: str | None = None
    ) -> Submission:
        """The run of an order; InvalidInputError for names that the exchange does not have."""
        wish = {
            "limit": order.limit,
            "since": order.since,
            "until": order.until,
            "recheck": order.recheck,
        }
        submission = await self._ordered(COLLECTION, order, wish)
        return replace(
            submission, job_name="collect_data_manual", wait=wait, idempotency_key=idempotency_key
        )

    async def backfill(
        self, order: BackfillOrder, *, wait: bool = False, idempotency_key: str | None = None
    ) -> Submission:
        """The same of a backfill."""
        submission = await self._ordered(BACKFILL, order, asdict(order.wish()))
        return replace(
            submission, job_name="backfill_manual", wait=wait, idempotency_key=idempotency_key
        )

    async def estimate(self, order: BackfillOrder) -> Estimate:
        """What a backfill would take, by what the database knows; InvalidInputError as for the backfill itself."""
        source = await self._sources.get(order.exchange)
        timeframes, names = await self._asked(order)

        def read(connection: Connection) -> Estimate:
            keys = [
                SeriesKey(one, step)
                for one in _listed(connection, order.exchange, names)
                for step in timeframes
            ]
            known = coverage_queries.known_spans(connection, keys)
            targets = [Target(key, 0, Coverage(known[key])) for key in keys]
            now = queries.present(connection, order.exchange)
            return estimate(
                targets,
                order.wish(),
                source.declaration,
                now=now,
                pages_per_minute=source.pages_per_minute,
            )

        return await self._reader.read(read)

    async def _ordered(
        self, kind: str, order: CollectOrder | BackfillOrder, wish: Mapping[str, object]
    ) -> Submission:
        timeframes, named = await self._meant(order)
        submission = _submission(kind, order.exchange, named, timeframes)
        return replace(submission, params={**submission.params, **wish}, asked=asdict(order))

    async def _meant(
        self, order: CollectOrder | BackfillOrder
    ) -> tuple[Sequence[Timeframe], Mapping[Instrument, str]]:
        """The timeframes and instruments of an order, each of those with the name that it was asked for by."""
        timeframes, names = await self._asked(order)
        return timeframes, name_instruments(
            names, await self._instruments(order.exchange, names, field="symbols"), field="symbols"
        )

    async def _asked(
        self, order: CollectOrder | BackfillOrder
    ) -> tuple[Sequence[Timeframe], Sequence[str]]:
        """The timeframes of an order, and the names of its instruments."""
        timeframes = parse_timeframes(
            order.timeframes or self.configured.timeframes, field="timeframes"
        )
        names = list(order.symbols) if order.symbols else await self.configured_symbols()
        if not names:
            message = "symbols: none are known yet; name some, or wait for the first symbol refresh"
            raise InvalidInputError(message, field="symbols")
        return timeframes, names

    async def config_symbols(self, exchange: str, names: Sequence[str]) -> dict[str, str]:
        """See ConfigRules."""
        directory = Directory(await self._instruments(exchange, names, field="symbol"))
        return {name: directory.find(name)[0].symbol for name in names}

    def config_timeframes(self, given: Sequence[str] | None) -> tuple[str, ...]:
        """See ConfigRules."""
        if given is not None and not given:
            message = "timeframes: name one or more, such as 1m, or leave them out for those of the settings"
            raise InvalidInputError(message, field="timeframes")
        return tuple(
            one.value
            for one in parse_timeframes(
                self.configured.timeframes if given is None else given, field="timeframes"
            )
        )

    def symbol_refresh(self, exchange: str) -> Submission:
        """The run that looks up what an exchange lists."""
        return Submission(
            kind=SYMBOL_REFRESH,
            params={"exchange": exchange},
            resources=[f"symbols:{exchange}"],
            priority=Priority.MEDIUM,
            job_name="refresh_symbols",
        )

    def scheduled(
        self, connection: Connection, schedule: Schedule, busy: Busy
    ) -> Submission | None:
        """The collection of a due schedule; it leaves out the series that are `busy`, and is None when none is left."""
        wanted = (
            self.of_config(connection, schedule.params)
            if schedule.kind == COLLECTION
            else self._default(connection)
        )
        exchange, series = (
            str(wanted.params["exchange"]),
            cast("list[list[str]]", wanted.params["series"]),
        )
        held = busy(wanted.resources)
        free = [one for one in series if _resource(exchange, one) not in held]
        if not free:
            return None
        return replace(
            wanted,
            params={**wanted.params, "series": free},
            resources=_resources(exchange, free),
            priority=Priority.LOW,
        )

    def hold(self, connection: Connection, symbol: str) -> None:
        """See ConfigRules: what an exchange lists is not taken away."""

    def of_config(self, connection: Connection, params: Mapping[str, Any]) -> Submission:
        """See ConfigRules."""
        exchange, symbol = params["exchange"], params["symbol"]
        known, _ = queries.instruments(connection, exchange, names=[symbol])
        return _submission(
            COLLECTION, exchange, name_instruments([symbol], known), params["timeframes"]
        )

    def refreshed(
        self, _connection: Connection, schedule: Schedule, _busy: Busy
    ) -> Submission | None:
        """The symbol refresh of a due schedule."""
        return self.symbol_refresh(str(schedule.params["exchange"]))

    def audit(self, connection: Connection, schedule: Schedule, _busy: Busy) -> Submission | None:
        """Everything that was collected lately, once more; behind whoever collects it now."""
        exchange = str(schedule.params["exchange"])
        named = queries.collected_lately(connection, exchange, _AUDITED_MS)
        if not named:
            return None
        series = [[one.native_symbol, timeframe, one.symbol] for one, timeframe in named]
        instruments = dict.fromkeys(one for one, _ in named)
        params = {
            "exchange": exchange,
            "series": series,
            "instruments": _as_json(instruments),
            "limit": None,
            "since": None,
        }
        resources = _resources(exchange, series)
        return Submission(
            kind=AUDIT,
            params={**params, "newest_ms": _AUDITED_MS},
            resources=resources,
            priority=Priority.LOW,
            wait=True,
        )

    def _default(self, connection: Connection) -> Submission:
        """What is configured by the settings, but for the series that an enabled config collects."""
        exchange = self.configured.exchange
        named = dict(
            self._named(connection, queries.configured_symbols(connection, self.configured))
        )
        taken = queries.collected(connection, exchange)
        return _submission(
            SCHEDULED_COLLECTION, exchange, named, self.configured.timeframes, taken=taken
        )

    async def configured_symbols(self) -> list[str]:
        """The symbols that are collected when none are named."""
        return await self._reader.read(
            lambda connection: queries.configured_symbols(connection, self.configured)
        )

    async def knows_nothing(self) -> bool:
        """Whether it takes a symbol refresh to know what to collect."""
        _, seen_at = await self._reader.read(
            lambda connection: queries.instruments(connection, self.configured.exchange)
        )
        return not seen_at or not await self.configured_symbols()

    def _named(self, connection: Connection, names: Sequence[str]) -> list[tuple[Instrument, str]]:
        """The configured instruments; a name that the exchange does not have is left out, and said once."""
        asked = list(dict.fromkeys(name.strip() for name in names))
        known, _ = queries.instruments(connection, self.configured.exchange, names=asked)
        directory = Directory(known)
        unknown = tuple(name for name in asked if not directory.knows(name))
        if len(unknown) == len(asked):
            message = f"symbols: the last symbol refresh knows none of {', '.join(unknown) or 'those that trade'}"
            raise InvalidInputError(message, field="symbols")
        if unknown and unknown != self._unknown:
            _log.warning("configured symbols are unknown and not collected", symbols=unknown)
        self._unknown = unknown
        return list(
            name_instruments([name for name in asked if directory.knows(name)], known).items()
        )

    async def collect(self, context: RunContext) -> CollectResult:
        """The work of every run that collects candles."""
        run = context.run
        params: Mapping[str, Any] = run.params
        by_native = {
            one["native_symbol"]: Instrument(**{**one, "status": Status(one["status"])})
            for one in params["instruments"]
        }
        series = [
            SeriesKey(by_native[native], Timeframe(timeframe), asked)
            for native, timeframe, asked in params["series"]
        ]
        source = await self._sources.get(params["exchange"])
        repeats = self._sources.repeats(source)
        collection = Collection(source, self._store, context, self._options, repeats)
        return await collection.collect(CollectRequest(series=series, wish=_wish(params)))

    async def refresh(self, context: RunContext) -> Refreshed:
        """The work of a symbol refresh."""
        source = await self._sources.get(str(context.run.params["exchange"]))
        found = await refresh_list(context, source, self._store)
        context.run.notes[""] = LogNote(records=found.listed, metadata=dict(found.summary()))
        return found

    async def _instruments(
        self, exchange: str, names: Sequence[str], *, field: str
    ) -> Sequence[Instrument]:
        """What the exchange lists, from the database while that is fresh and holds all the names."""
        source = await self._sources.get(exchange)
        known, seen_at = await self._reader.read(
            lambda connection: queries.instruments(connection, exchange, names=names)
        )
        named = _all_named(names, known)
        if named and time.time() * 1000 - seen_at < _FRESH_MS:
            return known
        try:
            listed = await source.instruments()
        except RetryableError:
            if named:
                return known
            raise
        find_instruments(names, listed, field=field)
        await self._store.put_instruments(listed)
        return listed


def _wish(params: Mapping[str, Any]) -> Wish:
    """What a run is to look at; an earlier version's said less."""
    return Wish(
        **{field.name: params[field.name] for field in fields(Wish) if field.name in params}
    )


def _listed(connection: Connection, exchange: str, names: Sequence[str]) -> Iterable[Instrument]:
    """The named instruments, as of the last symbol refresh; InvalidInputError for a name that it has not found."""
    known, _ = queries.instruments(connection, exchange, names=names)
    if not _all_named(names, known):
        known, _ = queries.instruments(connection, exchange)
    if not known:
        message = f"symbols: what {exchange} lists is not known yet, and a dry run does not ask; wait for the first symbol refresh"
        raise InvalidInputError(message, field="symbols")
    return name_instruments(names, known, field="symbols")


def _all_named(names: Sequence[str], known: Sequence[Instrument]) -> bool:
    try:
        find_instruments(names, known)
    except InvalidInputError:
        return False
    return True


def _submission(
    kind: str,
    exchange: str,
    named: Mapping[Instrument, str],
    timeframes: Sequence[str],
    *,
    taken: AbstractSet[tuple[str, str]] = frozenset(),
) -> Submission:
    """A run of all timeframes of these instruments, each with the name it was asked for by; not of the series (symbol, timeframe) `taken`."""
    series = [
        [one.native_symbol, str(step), asked]
        for one, asked in named.items()
        for step in timeframes
        if (one.symbol, step) not in taken
    ]
    params = {
        "exchange": exchange,
        "series": series,
        "instruments": _as_json(named),
        "limit": None,
        "since": None,
    }
    return Submission(kind=kind, params=params, resources=_resources(exchange, series))


def _as_json(instruments: Iterable[Instrument]) -> list[dict[str, object]]:
    """What the run's worker has to know of them, so that it need not look it up."""
    return [asdict(one) for one in instruments]


def _resources(exchange: str, series: Sequence[Sequence[str]]) -> list[str]:
    return [_resource(exchange, one) for one in series]


def _resource(exchange: str, one: Sequence[str]) -> str:
    return f"series:{exchange}:{one[0]}:{one[1]}"
