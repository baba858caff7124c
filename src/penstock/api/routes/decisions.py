"""Decisions that take longer than their clients wait."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import structlog

if TYPE_CHECKING:
    from collections.abc import Coroutine

_log = structlog.stdlib.get_logger()


class Decisions:
    """Carries out decisions; a client waits at most `patience_s` (None: to the end)."""

    def __init__(self, patience_s: float | None) -> None:
        self._patience_s = patience_s
        self._running: set[asyncio.Task[None]] = set()

    async def carry_out(self, decision: Coroutine[Any, Any, None]) -> bool:
        """Whether it finished in time; otherwise it continues.

        If the client leaves before, it is cancelled.
        """
        deciding = asyncio.create_task(decision, name="decision")
        self._running.add(deciding)
        deciding.add_done_callback(self._running.discard)
        try:
            done, _ = await asyncio.wait([deciding], timeout=self._patience_s)
        except asyncio.CancelledError:
            # What is being written is written to its end.
            deciding.cancel()
            await asyncio.wait([deciding])
            raise
        if done:
            await deciding
        else:
            deciding.add_done_callback(_log_failure)
        return bool(done)


def _log_failure(deciding: asyncio.Task[None]) -> None:
    """Log why a decision failed whose client was already answered."""
    if not deciding.cancelled() and (error := deciding.exception()) is not None:
        _log.error(
            "a decision on a sync could not be carried out; the sync waits for one as before",
            error=str(error),
        )
