from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp
import pytest

from tests.api.service import served
from tests.conftest import DATABASES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.postgres_server import PostgresServer


@pytest.fixture(scope="session", params=DATABASES)
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base URL of a service over each kind of database, with two symbols in two timeframes; tests only read from it."""
    if request.param == "sqlite":
        with served(f"sqlite:///{tmp_path_factory.mktemp('service') / 'penstock.db'}") as url:
            yield url
    else:
        server: PostgresServer = request.getfixturevalue("postgres_server")
        with server.database() as database, served(database) as url:
            yield url


@pytest.fixture
async def client(service: str) -> AsyncIterator[aiohttp.ClientSession]:
    """An HTTP client of the service."""
    async with aiohttp.ClientSession(service) as session:
        yield session
