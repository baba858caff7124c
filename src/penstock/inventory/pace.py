"""What is shown of a running sync: its phase, its rate, and the time left."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from penstock.errors import StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from penstock.inventory.source import ExportBody


class Phase(StrEnum):
    """The phase of a sync."""

    EXPORT = "export"
    PARSE = "parse"
    CHECK = "check"
    PUBLISH = "publish"


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncProgress:
    """What is shown of a running sync.

    Bytes as they came over the wire, products staged, and the seconds left, if known.
    """

    phase: Phase
    percent: int
    message: str
    bytes: int = 0
    rows: int = 0
    rows_per_second: float = 0.0
    eta_seconds: float | None = None


# The percentage at which a phase begins; the body of the export covers the first phase.
_PERCENT = {Phase.EXPORT: 0, Phase.PARSE: 75, Phase.CHECK: 80, Phase.PUBLISH: 90}
_SHOW_EVERY_S = 0.25


class SyncPace:
    """The state of one sync, shown at most four times a second; `rows` are staged or refused."""

    def __init__(
        self,
        show: Callable[[SyncProgress], Awaitable[None]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._show = show
        self._clock = clock
        self._phase = Phase.EXPORT
        self._rows_began = clock()
        self.rows = 0
        self._rate = 0.0
        self._body: ExportBody | None = None
        self._shown: SyncProgress | None = None

    @property
    def bytes(self) -> int:
        """Bytes received over the wire."""
        return self._body.received if self._body else 0

    def enter(self, phase: Phase) -> None:
        """Enter a phase."""
        self._phase = phase

    def watch(self, body: ExportBody) -> None:
        """Follow a body whose first byte is here; the rate of rows counts from now."""
        self._body, self._rows_began = body, self._clock()

    def staged(self, rows: int) -> None:
        """Count staged rows."""
        self.rows += rows
        self._rate = self.rows / max(self._clock() - self._rows_began, 1e-3)

    def now(self) -> SyncProgress:
        """The progress to show."""
        share = self._share()
        percent = _PERCENT[self._phase]
        if self._phase is Phase.EXPORT:
            percent = int(_PERCENT[Phase.PARSE] * share)
        return SyncProgress(
            phase=self._phase,
            percent=percent,
            message=self._message(),
            bytes=self.bytes,
            rows=self.rows,
            rows_per_second=round(self._rate, 1),
            eta_seconds=self._eta_s(share),
        )

    def ended(self, message: str) -> SyncProgress:
        """The progress to show at the end."""
        return replace(self.now(), percent=100, message=message, eta_seconds=None)

    async def keep_showing(self) -> None:
        """Show every change until cancelled; a change that the database refuses is shown later."""
        while True:
            await asyncio.sleep(_SHOW_EVERY_S)
            progress = self.now()
            if progress != self._shown:
                try:
                    await self._show(progress)
                except StoreUnavailableError:
                    continue
                self._shown = progress

    def _share(self) -> float:
        """How much of the body is here; 0 if its length is unknown."""
        return self._body.received / self._body.length if self._body and self._body.length else 0.0

    def _eta_s(self, share: float) -> float | None:
        """Until all rows are staged; the rest is short, and its length unknown."""
        if self._phase is not Phase.EXPORT or not share:
            return None
        return round((self._clock() - self._rows_began) * (1 - share) / share, 1)

    def _message(self) -> str:
        match self._phase:
            case Phase.EXPORT if self._body is None:
                return "Waiting for the export"
            case Phase.EXPORT:
                return f"Received {self.bytes / 1e6:.1f} MB, {self.rows:,} products"
            case Phase.PARSE:
                return f"Reading the export, {self.rows:,} products"
            case Phase.CHECK:
                return f"Comparing {self.rows:,} products with those published"
            case Phase.PUBLISH:
                return f"Publishing {self.rows:,} products"
