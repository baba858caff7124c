"""Syncs without the lookups that follow them: their 20,000 blueprints matter to no test."""

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
    """Record all ids as unlisted today: then no sync requests blueprints again.

    For all possible products, which takes a second, or for those of a seller.
    """
    if seller is None:
        ids = {blueprint.id for blueprint in catalogue_of(SimulatorSettings().seed).blueprints}
    else:
        ids = {row["blueprint_id"] for row in (await seller.rows()).values()}
    await SqlBlueprints().keep_unlisted(unfenced(app.database), ids)
