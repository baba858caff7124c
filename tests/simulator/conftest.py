from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from penstock.simulator.server import SimulatorSettings, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

RECORDED = Path(__file__).parents[2].parent / "shared" / "data"
# Thursday, in the middle of a minute, an hour, a day and a month.
NOW_MS = 1_718_281_234_567
# The token of the seller in most tests.
DEMO = "demo"


class Simulator:
    """A running simulator with a stopped clock, and a session."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url = url
        self.session = session

    async def get(self, path: str, **values: object) -> tuple[int, Any]:
        async with self.session.get(
            path, params={name: str(value) for name, value in values.items()}
        ) as response:
            return response.status, await response.json()

    async def klines(
        self, symbol: str = "BTCUSDT", interval: str = "1m", **values: object
    ) -> list[list[Any]]:
        status, rows = await self.get("/api/v3/klines", symbol=symbol, interval=interval, **values)
        assert status == 200, rows
        return list(rows)

    async def faults(self, *faults: dict[str, object]) -> tuple[int, Any]:
        async with self.session.put("/simulator/faults", json=list(faults)) as response:
            return response.status, await response.json()


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    async with (
        running(SimulatorSettings(now_ms=NOW_MS, speed=0)) as url,
        aiohttp.ClientSession(url) as session,
    ):
        yield Simulator(url, session)


class Marketplace:
    """A running simulator with a small seller, and a session with its token."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url = url
        self.session = session

    async def raw(self, path: str, token: str = DEMO, **values: object) -> tuple[int, bytes, Any]:
        params = {name: str(value) for name, value in values.items()}
        async with self.session.get(
            f"/api/v2/{path}", params=params, headers={"Authorization": f"Bearer {token}"}
        ) as response:
            return response.status, await response.read(), response.headers

    async def get(self, path: str, token: str = DEMO, **values: object) -> Any:  # noqa: ANN401
        status, body, _ = await self.raw(path, token, **values)
        assert status == 200, body
        return json.loads(body)

    async def admin(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        async with self.session.request(method, f"/simulator/{path}", json=body) as response:
            return response.status, await response.json()

    async def faults(self, *faults: dict[str, object]) -> None:
        status, shown = await self.admin("PUT", "faults", list(faults))
        assert status == 200, shown

    async def true_products(
        self, version: str = "newest", token: str = DEMO
    ) -> list[dict[str, Any]]:
        _, shown = await self.admin(
            "GET", f"accounts/{token}/versions/{version}/products?limit=10000"
        )
        return list(shown["products"])


@pytest.fixture
async def market() -> AsyncIterator[Marketplace]:
    settings = SimulatorSettings(symbols=2, accounts=("demo:400", "other:50", "empty:0"))
    # Without keep-alive: aiohttp repeats a GET when a kept connection breaks.
    connector = aiohttp.TCPConnector(force_close=True)
    async with running(settings) as url, aiohttp.ClientSession(url, connector=connector) as session:
        yield Marketplace(url, session)


@pytest.fixture(scope="session")
def recorded() -> Path:
    if not RECORDED.is_dir():
        pytest.skip(f"no recorded data at {RECORDED.name}: it is not part of the repository")
    return RECORDED
