"""A symbol refresh: what the exchange lists now, and how much of it is traded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import structlog

from penstock.market.instrument import Status, unlisted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from penstock.market.instrument import Instrument
    from penstock.market.source import MarketSource
    from penstock.runs.context import RunContext

_log = structlog.stdlib.get_logger()


@dataclass(frozen=True, slots=True)
class SymbolsRefreshed:
    """What a refresh found; `gone` are the symbols that were listed before and are not now."""

    listed: int
    trading: int
    gone: Sequence[str]

    def summary(self) -> dict[str, object]:
        """The result of the run, as JSON values."""
        return {"symbols": self.listed, "trading": self.trading, "gone": list(self.gone)}


class InstrumentStore(Protocol):
    """Where instruments go; `penstock.store` implements it."""

    async def put_list(
        self, context: RunContext, instruments: Sequence[Instrument], volumes: Mapping[str, float]
    ) -> Sequence[str]:
        """Record everything that an exchange lists; gives the symbols that it listed before only.

        One list proves nothing: a symbol missing from two lists an hour apart is delisted.
        """

    async def put_instruments(self, instruments: Sequence[Instrument]) -> None:
        """Record what an exchange lists."""


async def refresh_symbols(
    context: RunContext, source: MarketSource, store: InstrumentStore, configured: Sequence[str]
) -> SymbolsRefreshed:
    """Ask the exchange what it lists, and record it; raises what the source raises.

    Warns of each of the `configured` symbols that it does not list.
    """
    listed = await source.instruments()
    for problem in unlisted(configured, listed):
        _log.warning("PENSTOCK_SYMBOLS names a symbol that is not listed", problem=problem)
    gone = await store.put_list(context, listed, await source.volumes())
    trading = sum(instrument.status is Status.TRADING for instrument in listed)
    return SymbolsRefreshed(len(listed), trading, gone)
