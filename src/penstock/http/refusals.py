"""Stops requests to a provider that refuses our address: more of them make it worse."""

from __future__ import annotations

import asyncio

from penstock.errors import SourceRefusedError

_CONSECUTIVE = 3


class Refusals:
    """Counts refusals of our address; after three in a row, no request for `pause_s`."""

    def __init__(self, pause_s: float) -> None:
        self._pause_s = pause_s
        self._count = 0
        self._until = 0.0
        self._last = ""

    def add(self, error: SourceRefusedError) -> None:
        self._count += 1
        self._last = str(error)
        if self._count >= _CONSECUTIVE:
            self._until = asyncio.get_running_loop().time() + self._pause_s

    def reset(self) -> None:
        """Start over: the provider answers this address."""
        self._count = 0

    def check(self) -> None:
        """Raise SourceRefusedError while no request may be sent."""
        if asyncio.get_running_loop().time() < self._until:
            raise SourceRefusedError(
                f"{self._last}; no further request for {self._pause_s:g} s", blanket=True
            )
