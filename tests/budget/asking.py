"""All that the sources ask of their providers."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from penstock.errors import PenstockError
from penstock.http.client import HttpLimits
from penstock.http.download import DownloadLimits
from penstock.http.governor import LONGEST_PAUSE_S, LocalBudget
from penstock.inventory.source import InventorySourceConfig
from penstock.market.source import PageRequest, SourceConfig
from penstock.sources.binance import BinanceSource
from penstock.sources.cardtrader import CardTraderSource
from tests.budget.spending import OverBudgetError
from tests.market_builders import key
from tests.simulated import NOW

if TYPE_CHECKING:
    from collections.abc import Awaitable

_LIMITS = HttpLimits(attempts=1, deadline_s=5, idle_s=5, longest_pause_s=0)
_EXPORT = DownloadLimits(attempts=1, first_byte_s=5, idle_s=5, total_s=5)


class _Believing(LocalBudget):
    """A budget that refuses to store a pause nobody can mean."""

    async def pause(self, seconds: float) -> None:
        if not 0 <= seconds <= LONGEST_PAUSE_S:
            raise OverBudgetError(f"a pause of {seconds} s")
        await super().pause(seconds)


async def ask_all(url: str) -> None:
    """Ask for everything once; an error of ours is an answer too."""
    await _ask_exchange(url)
    await _ask_marketplace(url)


async def _ask_exchange(url: str) -> None:
    for name in ("server_time", "instruments", "volumes", "candles"):
        config = SourceConfig(base_url=url, http=_LIMITS, budget=_Believing())
        async with BinanceSource(config) as source:
            page = [PageRequest(series=key(), start=NOW - 60_000_000, limit=1_000)]
            await _answered(getattr(source, name)(*(page if name == "candles" else ())))


async def _ask_marketplace(url: str) -> None:
    for name in ("seller", "games", "categories", "expansions", "blueprints"):
        config = InventorySourceConfig(
            base_url=url,
            http=_LIMITS,
            export=_EXPORT,
            budget=lambda _name, window_s: _Believing(window_s=window_s),
        )
        async with CardTraderSource(config).account("demo") as account:
            await _answered(getattr(account, name)(*((None,) if name == "blueprints" else ())))
    async with CardTraderSource(config).account("demo") as account:
        with contextlib.suppress(PenstockError):
            async with account.export() as download:
                async for _ in download.blocks():
                    pass


async def _answered(asked: Awaitable[object]) -> None:
    with contextlib.suppress(PenstockError):
        await asked
