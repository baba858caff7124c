"""What exchanges list: from the database while that is fresh, else from the exchange."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

from penstock.errors import InvalidInputError, RetryableError
from penstock.market.instrument import name_instruments
from penstock.market.queries.instruments import instruments, instruments_seen

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection

    from penstock.collection.reader import Reader
    from penstock.market.collect.repeats import Repeats
    from penstock.market.instrument import Instrument
    from penstock.market.refresh import InstrumentStore
    from penstock.market.source import MarketSource

# A service refreshes symbols every hour: with twice that, no user waits for the exchange.
_FRESH_MS = 2 * 3_600_000


class Sources(Protocol):
    """The sources of a process, open as long as it works."""

    async def get(self, exchange: str) -> MarketSource:
        """The source of an exchange; InvalidInputError when there is none."""

    def repeats(self, source: MarketSource) -> Repeats:
        """What runs may spend on gaps that were asked for before."""


class Listing:
    """Looks up instruments by the names that users give them."""

    def __init__(self, sources: Sources, reader: Reader, store: InstrumentStore) -> None:
        self._sources = sources
        self._reader = reader
        self._store = store

    async def find(
        self, exchange: str, names: Sequence[str], *, field: str
    ) -> Sequence[Instrument]:
        """Instruments of the exchange, among them those of all names.

        InvalidInputError for a name that the exchange does not list; it names the `field`.
        """
        source = await self._sources.get(exchange)
        known, seen_at = await self._reader.read(
            lambda connection: instruments_seen(connection, exchange, names=names)
        )
        complete = _has_all(names, known)
        if complete and time.time() * 1000 - seen_at < _FRESH_MS:
            return known
        try:
            listed = await source.instruments()
        except RetryableError:
            if complete:
                return known
            raise
        name_instruments(names, listed, field=field)
        await self._store.put_instruments(listed)
        return listed


def stored_instruments(
    connection: Connection, exchange: str, names: Sequence[str]
) -> Iterable[Instrument]:
    """The named instruments of the last symbol refresh; InvalidInputError for unknown names."""
    known = instruments(connection, exchange, names=names)
    if not _has_all(names, known):
        known = instruments(connection, exchange)
    if not known:
        raise InvalidInputError(
            f"symbols: no symbols of {exchange} are known yet, and a dry run does not ask for them;"
            " wait for the first symbol refresh",
            field="symbols",
        )
    return name_instruments(names, known, field="symbols")


def _has_all(names: Sequence[str], known: Sequence[Instrument]) -> bool:
    try:
        name_instruments(names, known)
    except InvalidInputError:
        return False
    return True
