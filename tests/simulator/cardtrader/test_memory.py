"""A large inventory is prepared and served in bounded memory."""

from __future__ import annotations

import subprocess
import sys

SERVE = """
import asyncio, resource, sys
import aiohttp
from penstock.simulator.server import SimulatorSettings, running

async def main():
    accounts, faults = (f"demo:{sys.argv[1]}",), ("array:after=1",)
    settings = SimulatorSettings(symbols=1, accounts=accounts, faults=faults)
    token = {"Authorization": "Bearer demo"}
    async with running(settings) as url, aiohttp.ClientSession(url, headers=token) as session:
        for _ in range(2):
            size = 0
            async with session.get("/api/v2/products/export") as response:
                async for piece in response.content.iter_any():
                    size += len(piece)
    print(size, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)

asyncio.run(main())
"""


def served(products: int) -> tuple[int, int]:
    """MiB that a process sends (and reads) of an export, and its peak memory."""
    answer = subprocess.run(
        [sys.executable, "-c", SERVE, str(products)],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    size, peak_mib = map(int, answer.stdout.split())
    return size // 2**20, peak_mib


def test_memory_does_not_grow_with_the_inventory() -> None:
    (_, small_peak), (large, large_peak) = served(100), served(60_000)
    assert large > 30
    assert large_peak - small_peak < large / 2
