"""A service over the ledgers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp
import pytest

from tests.api.coverage_ledgers import COMPLETE, DRAWN, KNOWN
from tests.api.service import served
from tests.databases import DATABASES
from tests.ledgers import fill

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.databases import Databases


@pytest.fixture(scope="module", params=DATABASES)
def service(
    request: pytest.FixtureRequest, databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The base URL of a service over these ledgers; tests only read from it."""
    with databases.fresh(request.param, tmp_path_factory.mktemp("ledger")) as database:
        fill(database, KNOWN | COMPLETE | DRAWN)
        with served(database, None) as url:
            yield url


@pytest.fixture
async def client(service: str) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(service) as session:
        yield session
