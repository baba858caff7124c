"""Logs without slow variables of frames, a shop that equals its export, a silent PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from tests.databases import DATABASES
from tests.engine.conftest import plain_logs
from tests.faults.black_hole import BlackHole
from tests.faults.sellers import PRODUCTS, in_step, retry_soon, short_pauses
from tests.faults.unlisted import nothing_to_look_up
from tests.seller_builders import KeptShop, kept_shop, simulated_seller

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.databases import Databases
    from tests.postgres_server import PostgresServer

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


@pytest.fixture
def black_hole(postgres_server: PostgresServer) -> Iterator[BlackHole]:
    proxy = BlackHole(int(postgres_server.url.rpartition(":")[2].partition("/")[0]))
    yield proxy
    proxy.close()


@pytest.fixture
def database_behind(postgres_database: str, black_hole: BlackHole) -> str:
    """The URL of a fresh database behind the proxy."""
    port = postgres_database.rpartition(":")[2].partition("/")[0]
    return postgres_database.replace(f":{port}/", f":{black_hole.port}/")
