"""What is shown of a running sync: where it is, how fast it goes, and how long it will still take."""

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
    """Where a sync is."""

    EXPORT = "export"
    PARSE = "parse"
    CHECK = "check"
    PUBLISH = "publish"


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncProgress:
    """What is shown of a running sync: bytes as they came over the wire, products staged, seconds left as far as that can be known."""

    phase: Phase
    percent: int
    message: str
    bytes: int = 0
    rows: int = 0
    rows_per_second: float = 0.0
    eta_seconds: float | None = None


# How far a sync is when a phase begins, in percent; the body of the export leads from the first to the second.
_PERCENT = {Phase.EXPORT: 0, Phase.PARSE: 75, Phase.CHECK: 80, Phase.PUBLISH: 90}
_SHOW_EVERY_S = 0.25


class Pace:
    """The state of one sync, shown at most four times a second by whoever `show`s it."""

    def __init__(
        self,
        show: Callable[[SyncProgress], Awaitable[None]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._show = show
        self._clock = clock
        self._phase = Phase.EXPORT
        self._began = self._rows_began = clock()
        self._rows = 0
        self._rate = 0.0
        self._body: ExportBody | None = None
        self._shown: SyncProgress | None = None

    @property
    def rows(self) -> int:
        """Rows staged so far, refused ones too."""
        return self._rows

    @property
    def bytes(self) -> int:
        """Bytes that came over the wire."""
        return self._body.received if self._body else 0

    def enter(self, phase: Phase) -> None:
        """The sync is in this phase now."""
        self._phase = phase

    def watch(self, body: ExportBody) -> None:
        """The first byte is here: from now on rows are counted against time."""
        self._body, self._rows_began = body, self._clock()

    def staged(self, rows: int) -> None:
        """So many more rows."""
        self._rows += rows
        self._rate = self._rows / max(self._clock() - self._rows_began, 1e-3)

    def now(self) -> SyncProgress:
        """What is to be shown."""
        share = self._share()
        return SyncProgress(
            phase=self._phase,
            percent=max(
                _PERCENT[self._phase],
                int(_PERCENT[Phase.PARSE] * share) if self._phase is Phase.EXPORT else 0,
            ),
            message=self._message(),
            bytes=self.bytes,
            rows=self._rows,
            rows_per_second=round(self._rate, 1),
            eta_seconds=self._eta_s(share),
        )

    def ended(self, message: str) -> SyncProgress:
        """What is shown at the end."""
        return replace(self.now(), percent=100, message=message, eta_seconds=None)

    async def keep_showing(self) -> None:
        """Show every change until cancelled; what the database cannot take now is shown the next time."""
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
        """How much of the body is here; 0 when nobody says how long it is."""
        return self._body.received / self._body.length if self._body and self._body.length else 0.0

    def _eta_s(self, share: float) -> float | None:
        """Until all rows are staged; what comes then is short and not known beforehand."""
        if self._phase is not Phase.EXPORT or not share:
            return None
        return round((self._clock() - self._rows_began) * (1 - share) / share, 1)

    def _message(self) -> str:
        match self._phase:
            case Phase.EXPORT if self._body is None:
                return "Waiting for the export"
            case Phase.EXPORT:
                return f"Received {self.bytes / 1e6:.1f} MB, {self._rows:,} products"
            case Phase.PARSE:
                return f"Reading the export, {self._rows:,} products"
            case Phase.CHECK:
                return f"Comparing {self._rows:,} products with those published"
            case Phase.PUBLISH:
                return f"Publishing {self._rows:,} products"
