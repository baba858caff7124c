"""What the market domain runs: an order becomes a submission, a run becomes work."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Protocol

from penstock.errors import InvalidInputError
from penstock.market.collect.collection import Collection
from penstock.market.collect.coverage import Coverage
from penstock.market.collect.page import CandleStore, SeriesTarget
from penstock.market.instrument import SeriesKey, name_instruments, parse_timeframes
from penstock.market.queries.gaps import known_spans
from penstock.market.queries.instruments import (
    configured_symbols,
    exchange_now,
    instruments_seen,
)
from penstock.market.refresh import InstrumentStore, refresh_symbols
from penstock.market.runs.estimate import estimate
from penstock.market.runs.listing import stored_instruments
from penstock.market.runs.submission import collection_of, series_of, wish_of
from penstock.runs.run import LogNote

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

    from penstock.collection.reader import Reader
    from penstock.market.collect.collection import CollectOptions
    from penstock.market.collect.result import CollectResult
    from penstock.market.configured import Configured
    from penstock.market.refresh import SymbolsRefreshed
    from penstock.market.runs.estimate import Estimate
    from penstock.market.runs.listing import Listing, Sources
    from penstock.market.runs.orders import BackfillOrder, CollectOrder
    from penstock.market.timeframe import Timeframe
    from penstock.runs.context import RunContext
    from penstock.runs.run import Submission


class MarketStore(CandleStore, InstrumentStore, Protocol):
    """Where a market run writes."""


class MarketRuns:
    """Makes submissions of orders, and does the work of their runs."""

    def __init__(
        self,
        sources: Sources,
        listing: Listing,
        reader: Reader,
        store: MarketStore,
        configured: Configured,
        options: CollectOptions,
    ) -> None:
        self._sources = sources
        self._listing = listing
        self._reader = reader
        self._store = store
        self._options = options
        self.configured = configured

    async def submission(
        self,
        order: CollectOrder | BackfillOrder,
        *,
        wait: bool = False,
    ) -> Submission:
        """The run of an order; InvalidInputError for names that the exchange does not list."""
        timeframes, names = await self._ordered(order)
        listed = await self._listing.find(order.exchange, names, field="symbols")
        named = name_instruments(names, listed, field="symbols")
        ordered = collection_of(order.kind, order.exchange, named, timeframes)
        return replace(
            ordered,
            params={**ordered.params, **asdict(order.wish())},
            asked=asdict(order),
            job_name=order.job_name,
            wait=wait,
        )

    async def estimate(self, order: BackfillOrder) -> Estimate:
        """What a backfill would take, from the database alone; InvalidInputError as for its run."""
        source = await self._sources.get(order.exchange)
        timeframes, names = await self._ordered(order)

        def read(connection: Connection) -> Estimate:
            listed = stored_instruments(connection, order.exchange, names)
            keys = [SeriesKey(instrument, step) for instrument in listed for step in timeframes]
            known = known_spans(connection, keys)
            return estimate(
                [SeriesTarget(key, 0, Coverage(known[key])) for key in keys],
                order.wish(),
                source.declaration,
                now=exchange_now(connection, order.exchange),
                pages_per_minute=source.pages_per_minute,
            )

        return await self._reader.read(read)

    async def _ordered(
        self, order: CollectOrder | BackfillOrder
    ) -> tuple[Sequence[Timeframe], Sequence[str]]:
        """The timeframes and symbols of an order; where it names none, the configured ones."""
        steps = order.timeframes or self.configured.timeframes
        timeframes = parse_timeframes(steps, field="timeframes")
        names = list(order.symbols) if order.symbols else await self.configured_symbols()
        if not names:
            why = (
                "PENSTOCK_SYMBOLS is none; name some"
                if self.configured.is_none
                else "none are known yet; name some, or wait for the first symbol refresh"
            )
            raise InvalidInputError(f"symbols: {why}", field="symbols")
        return timeframes, names

    async def configured_symbols(self) -> list[str]:
        """The symbols that are collected when none are named."""
        return await self._reader.read(
            lambda connection: configured_symbols(connection, self.configured)
        )

    async def needs_symbols(self) -> bool:
        """Whether only a symbol refresh can tell what to collect."""
        _, seen_at = await self._reader.read(
            lambda connection: instruments_seen(connection, self.configured.exchange)
        )
        return not seen_at or (
            self.configured.symbols is None and not await self.configured_symbols()
        )

    async def collect(self, context: RunContext) -> CollectResult:
        """The work of every run that collects candles."""
        params: Mapping[str, Any] = context.run.params
        source = await self._sources.get(params["exchange"])
        repeats = self._sources.repeats(source)
        collection = Collection(source, self._store, context, self._options, repeats)
        return await collection.collect(series_of(params), wish_of(params))

    async def refresh(self, context: RunContext) -> SymbolsRefreshed:
        """The work of a symbol refresh."""
        exchange, configured = str(context.run.params["exchange"]), self.configured
        source = await self._sources.get(exchange)
        symbols = (configured.symbols or ()) if exchange == configured.exchange else ()
        found = await refresh_symbols(context, source, self._store, symbols)
        context.run.notes[""] = LogNote(records=found.listed, metadata=found.summary())
        return found
