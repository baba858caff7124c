from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp
import pytest

from tests.api.service import served
from tests.databases import DATABASES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.databases import Databases


@pytest.fixture(scope="session", params=DATABASES)
def service(
    request: pytest.FixtureRequest, databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The base URL of a service over each database, with two symbols in two timeframes.

    Tests only read from it.
    """
    with (
        databases.fresh(request.param, tmp_path_factory.mktemp("service")) as database,
        served(database) as url,
    ):
        yield url


@pytest.fixture
async def client(service: str) -> AsyncIterator[aiohttp.ClientSession]:
    """An HTTP client of the service."""
    async with aiohttp.ClientSession(service) as session:
        yield session
