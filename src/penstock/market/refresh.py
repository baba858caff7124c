"""A symbol refresh: what the exchange lists now, and how much of it is traded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from penstock.market.instrument import Status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from penstock.market.instrument import Instrument
    from penstock.market.source import MarketSource
    from penstock.runs.context import RunContext


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What a refresh found; `gone` are the symbols that were listed before and are not now."""

    listed: int
    trading: int
    gone: Sequence[str] = ()

    def summary(self) -> Mapping[str, object]:
        """See penstock.runs.runner.Outcome."""
        return {"symbols": self.listed, "trading": self.trading, "gone": list(self.gone)}


class InstrumentStore(Protocol):
    """Where instruments go; implemented by `penstock.store`."""

    async def put_list(
        self, context: RunContext, instruments: Sequence[Instrument], volumes: Mapping[str, float]
    ) -> Sequence[str]:
        """Record all that an exchange lists; gives the symbols that it has listed before and does not now.

        One list proves nothing: what two of them lack that were asked for an hour apart is delisted.
        """

    async def put_instruments(
        self, instruments: Sequence[Instrument], volumes: Mapping[str, float] | None = None
    ) -> None:
        """Record what an exchange lists, with the 24 h quote volume by native symbol if it is known."""


async def refresh_list(
    context: RunContext, source: MarketSource, store: InstrumentStore
) -> Refreshed:
    """Look at the exchange and record what it lists; raises what the source raises."""
    listed = await source.instruments()
    gone = await store.put_list(context, listed, await source.volumes())
    return Refreshed(len(listed), sum(one.status is Status.TRADING for one in listed), gone)
