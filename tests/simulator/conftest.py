from __future__ import annotations

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


class Simulator:
    """A running simulator with a stopped clock, and a session to ask it."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url = url
        self.session = session

    async def get(self, path: str, **values: object) -> tuple[int, Any]:
        async with self.session.get(path, params={name: str(value) for name, value in values.items()}) as response:
            return response.status, await response.json()

    async def klines(self, symbol: str = "BTCUSDT", interval: str = "1m", **values: object) -> list[list[Any]]:
        status, rows = await self.get("/api/v3/klines", symbol=symbol, interval=interval, **values)
        assert status == 200, rows
        return list(rows)

    async def faults(self, *faults: dict[str, object]) -> tuple[int, Any]:
        async with self.session.put("/simulator/faults", json=list(faults)) as response:
            return response.status, await response.json()


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    async with running(SimulatorSettings(now_ms=NOW_MS, speed=0)) as url, aiohttp.ClientSession(url) as session:
        yield Simulator(url, session)


@pytest.fixture(scope="session")
def recorded() -> Path:
    if not RECORDED.is_dir():
        pytest.skip(f"no recorded data at {RECORDED.name}: it is not part of the repository")
    return RECORDED
