"""What market configs and schedules can name, and the runs that they become."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import structlog

from penstock.errors import InvalidInputError
from penstock.market.instrument import Directory, name_instruments, parse_timeframes
from penstock.market.queries.instruments import configured_symbols, instruments
from penstock.market.queries.series import configured_series, recently_collected
from penstock.market.runs.submission import (
    AUDIT,
    COLLECTION,
    SCHEDULED_COLLECTION,
    collection_of,
    series_run,
    symbol_refresh,
)
from penstock.runs.run import Priority

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

    from penstock.collection.domain import Busy
    from penstock.market.configured import Configured
    from penstock.market.instrument import Instrument
    from penstock.market.runs.listing import Listing
    from penstock.runs.run import Submission
    from penstock.runs.schedule import Schedule

_log = structlog.stdlib.get_logger()

# An audit reads the candles of this time again.
_AUDITED_MS = 48 * 3_600_000


class MarketConfigs:
    """The ConfigRules of exchanges, and the runs of due schedules."""

    kind = COLLECTION

    def __init__(self, exchanges: Sequence[str], listing: Listing, configured: Configured) -> None:
        self.exchanges = exchanges
        self._listing = listing
        self._configured = configured
        self._unknown: tuple[str, ...] = ()

    async def config_symbols(self, exchange: str, names: Sequence[str]) -> dict[str, str]:
        """The unified symbol of each name."""
        directory = Directory(await self._listing.find(exchange, names, field="symbol"))
        return {name: directory.find(name)[0].symbol for name in names}

    def config_timeframes(self, given: Sequence[str] | None) -> tuple[str, ...]:
        """The timeframes of a config; the configured ones if none are given."""
        if given is not None and not given:
            raise InvalidInputError(
                "timeframes: name one or more, such as 1m,"
                " or leave them out for those of the settings",
                field="timeframes",
            )
        names = self._configured.timeframes if given is None else given
        return tuple(map(str, parse_timeframes(names, field="timeframes")))

    def hold(self, connection: Connection, symbol: str) -> None:
        """Nothing to do: an instrument is never deleted."""

    def of_config(self, connection: Connection, params: Mapping[str, Any]) -> Submission:
        """The collection of a config."""
        exchange, symbol = params["exchange"], params["symbol"]
        named = name_instruments([symbol], instruments(connection, exchange, names=[symbol]))
        return collection_of(COLLECTION, exchange, named, params["timeframes"])

    def scheduled(
        self, connection: Connection, schedule: Schedule, busy: Busy
    ) -> Submission | None:
        """The collection of a due schedule without the `busy` series; None when none is left."""
        due = (
            self.of_config(connection, schedule.params)
            if schedule.kind == COLLECTION
            else self._default(connection)
        )
        series: Any = due.params["series"]
        held = busy(due.resources)
        by_resource = zip(due.resources, series, strict=True)
        free = {resource: params for resource, params in by_resource if resource not in held}
        if not free:
            return None
        params = {**due.params, "series": list(free.values())}
        return replace(due, params=params, resources=list(free), priority=Priority.LOW)

    def scheduled_refresh(
        self, _connection: Connection, schedule: Schedule, _busy: Busy
    ) -> Submission | None:
        """The symbol refresh of a due schedule."""
        return symbol_refresh(str(schedule.params["exchange"]))

    def scheduled_audit(
        self, connection: Connection, schedule: Schedule, _busy: Busy
    ) -> Submission | None:
        """The audit of all series collected recently; it waits for the runs that hold them."""
        exchange = str(schedule.params["exchange"])
        found = recently_collected(connection, exchange, _AUDITED_MS)
        if not found:
            return None
        audit = series_run(AUDIT, exchange, found)
        params = {**audit.params, "newest_ms": _AUDITED_MS}
        return replace(audit, params=params, priority=Priority.LOW, wait=True)

    def _default(self, connection: Connection) -> Submission:
        """The configured series, without those that an enabled config collects."""
        exchange = self._configured.exchange
        named = self._named(connection, configured_symbols(connection, self._configured))
        return collection_of(
            SCHEDULED_COLLECTION,
            exchange,
            named,
            self._configured.timeframes,
            without=configured_series(connection, exchange),
        )

    def _named(self, connection: Connection, names: Sequence[str]) -> dict[Instrument, str]:
        """The configured instruments; an unknown name is left out and logged once."""
        asked = list(dict.fromkeys(name.strip() for name in names))
        known = instruments(connection, self._configured.exchange, names=asked)
        directory = Directory(known)
        unknown = tuple(name for name in asked if not directory.knows(name))
        if len(unknown) == len(asked):
            which = ", ".join(unknown) or "those that trade"
            raise InvalidInputError(
                f"symbols: the last symbol refresh found none of {which}", field="symbols"
            )
        if unknown and unknown != self._unknown:
            _log.warning("configured symbols are unknown and not collected", symbols=unknown)
        self._unknown = unknown
        return name_instruments([name for name in asked if name not in unknown], known)
