"""Syncs without the look-ups that follow them: 20,000 blueprints, of which tests of syncs read nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.simulator.cardtrader.catalogue import catalogue_of
from penstock.simulator.server import SimulatorSettings
from penstock.store.write.inventory.catalogue import SqlBlueprints
from tests.market_builders import unfenced

if TYPE_CHECKING:
    from penstock.app import App
    from tests.seller_builders import Seller


async def nothing_to_look_up(app: App, seller: Seller | None = None) -> None:
    """As if CardTrader had been asked today and listed nothing: then no sync asks for blueprints again.

    For those of all products that there can be, which takes a second, or of those that a seller has now.
    """
    if seller is None:
        wanted = {one.id for one in catalogue_of(SimulatorSettings().seed).blueprints}
    else:
        wanted = {row["blueprint_id"] for row in (await seller.rows()).values()}
    await SqlBlueprints().keep_unlisted(unfenced(app.database), wanted)
