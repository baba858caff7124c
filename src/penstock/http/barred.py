"""A provider that refuses whoever comes from our address: a few such answers say it, and more questions make it worse."""

from __future__ import annotations

import asyncio

from penstock.errors import SourceRefusedError

_IN_A_ROW = 3


class Barred:
    """Counts refusals of our address; after three in a row nothing more is to be asked for `pause_s`."""

    def __init__(self, pause_s: float) -> None:
        self._pause_s = pause_s
        self._in_a_row = 0
        self._until = 0.0
        self._last = ""

    def refused(self, error: SourceRefusedError) -> None:
        """Once more."""
        self._in_a_row += 1
        self._last = str(error)
        if self._in_a_row >= _IN_A_ROW:
            self._until = asyncio.get_running_loop().time() + self._pause_s

    def let_in(self) -> None:
        """Something was answered."""
        self._in_a_row = 0

    def check(self) -> None:
        """SourceRefusedError while nothing is to be asked."""
        if asyncio.get_running_loop().time() < self._until:
            raise SourceRefusedError(
                f"{self._last}; it is not asked again for {self._pause_s:g} s", whatever=True
            )
