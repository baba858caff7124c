"""Logs without the variables of frames, which would be slow, and a shop that equals its export."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest_asyncio

from tests.databases import DATABASES
from tests.engine.conftest import plain_logs
from tests.faults.sellers import PRODUCTS, in_step, retry_soon, short_pauses
from tests.faults.unlisted import nothing_to_look_up
from tests.seller_builders import KeptShop, kept_shop, simulated_seller

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import pytest

    from tests.databases import Databases

__all__ = ["kept", "plain_logs", "shop"]


@pytest_asyncio.fixture(params=DATABASES, scope="module", loop_scope="module")
async def kept(
    request: pytest.FixtureRequest, databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[KeptShop]:
    """An application, its seller and its database, for all tests of a module."""
    folder = tmp_path_factory.mktemp("seller")
    with short_pauses(), databases.fresh(request.param, folder) as url:
        async with (
            simulated_seller(PRODUCTS) as seller,
            kept_shop(url, seller, folder / "exports", run_retry_s=0.001) as opened,
        ):
            await nothing_to_look_up(opened.app)
            retry_soon(opened)
            await in_step(opened)
            yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def shop(kept: KeptShop) -> AsyncIterator[KeptShop]:
    """A shop that equals its export before the test, and again after an undisturbed sync."""
    yield kept
    await in_step(kept)
