"""The simulator in a separate process, so that it does not slow down the measured process.

`python -m benchmarks.exchange MILLISECONDS PRODUCTS` prints its URL and runs until its standard
input ends, at the latest with its parent.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from penstock.simulator.server import SimulatorSettings, running

if TYPE_CHECKING:
    from collections.abc import Iterator

# The simulated time, in the middle of a minute, an hour, four hours and a day: every timeframe has
# a running candle.
START_MS = 1_748_788_230_000
MINUTE_MS = 60_000
# Writing the export of a million products takes a while.
_TIMEOUT_S = 180.0
# The token of the only seller.
SELLER = "demo"
_OK = 200


@dataclass(slots=True)
class Exchange:
    """A running simulator without limits, whose clock moves only by hand."""

    url: str
    now_ms: int = START_MS

    def move_on(self, by_ms: int) -> None:
        """Set the clock ahead."""
        self.now_ms += by_ms
        self._ask("PUT", "/simulator/clock", {"now": self.now_ms})

    def delay(self, ms: int) -> None:
        """Delay every answer; 0 switches that off."""
        self._ask("PUT", "/simulator/faults", [{"name": "latency", "ms": ms}] if ms else [])

    def change_products(self, percent: float) -> None:
        """Change some of the seller's products."""
        self._ask("POST", f"/simulator/accounts/{SELLER}/versions", {"changed": percent})

    def prepare_export(self) -> None:
        """Write the body of the next export in advance."""
        self._ask("PUT", f"/simulator/accounts/{SELLER}/export", {})

    def _ask(self, method: str, path: str, change: object) -> None:
        address = urlsplit(self.url)
        with contextlib.closing(
            http.client.HTTPConnection(address.hostname or "", address.port, timeout=_TIMEOUT_S)
        ) as connection:
            connection.request(method, path, body=json.dumps(change))
            answer = connection.getresponse()
            body = answer.read()
        if answer.status != _OK:
            message = f"{method} {path} of the simulator: HTTP {answer.status} {body[:200]!r}"
            raise RuntimeError(message)


@contextlib.contextmanager
def exchange(products: int = 1_000) -> Iterator[Exchange]:
    """A new simulator, which has generated no candle yet, with a seller of `products`."""
    command = [sys.executable, "-m", "benchmarks.exchange", str(START_MS), str(products)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            url = process.stdout.readline().strip() if process.stdout else ""
            if not url:
                message = "the simulator did not start"
                raise RuntimeError(message)
            yield Exchange(url)
        finally:
            process.terminate()


async def _serve(now_ms: int, products: int) -> None:
    settings = SimulatorSettings(
        limits=False, now_ms=now_ms, speed=0, accounts=(f"{SELLER}:{products}",)
    )
    async with running(settings) as url:
        print(url, flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve(*map(int, sys.argv[1:])))
