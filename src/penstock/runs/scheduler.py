"""The scheduler: one loop in each process that submits what is due, each due run once.

It sleeps until the next due time, at most `check_interval_s`. What was missed meanwhile (a
suspended laptop, a clock set forward) is made up for by one run; a clock set back cannot silence a
schedule for longer than its interval.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import structlog

from penstock.loop import Outage, event_or_time

if TYPE_CHECKING:
    from penstock.runs.schedule import Schedules, Ticked

_log = structlog.stdlib.get_logger()

# Due schedules that are claimed in one transaction.
_AT_ONCE = 50
_AGAIN_S = 1.0
_OTHERS_S = 0.2


class Scheduler:
    """Submits due runs while it runs."""

    def __init__(
        self, schedules: Schedules, *, check_interval_s: float, first_after_s: float
    ) -> None:
        self._schedules = schedules
        self._check_interval_s = check_interval_s
        self._first_after_s = first_after_s
        self._changed = asyncio.Event()
        self._outage = Outage("schedules cannot be read", "schedules can be read again")
        self._failed: dict[str, str] = {}
        self._asleep: dict[str, str] = {}
        self.running = False
        self.last_tick: int | None = None

    async def run(self) -> None:
        """Tick until cancelled."""
        self.running = True
        try:
            await asyncio.sleep(self._first_after_s)
            while True:
                self._changed.clear()
                delay_s = await self._tick()
                await event_or_time(self._changed, delay_s)
        finally:
            self.running = False

    def changed(self) -> None:
        """A schedule was made or changed: look now."""
        self._changed.set()

    async def _tick(self) -> float:
        """Seconds until the next look."""
        self.last_tick = int(time.time() * 1000)
        delay_s = min(_AGAIN_S, self._check_interval_s)
        with self._outage.logged():
            ticked = await self._schedules.tick(_AT_ONCE)
            delay_s = self._delay_after(ticked)
            self._log_tick(ticked)
        return delay_s

    def _delay_after(self, ticked: Ticked) -> float:
        if ticked.next_in_s is None:
            return self._check_interval_s
        # What is due and could not be claimed is in the hands of another process just now.
        claimed = ticked.submitted or ticked.skipped or ticked.failed or ticked.asleep
        return min(self._check_interval_s, max(0.0 if claimed else _OTHERS_S, ticked.next_in_s))

    def _log_tick(self, ticked: Ticked) -> None:
        for name in ticked.skipped:
            _log.info("Data collection already running, skipping scheduled collection", job=name)
        if ticked.submitted:
            _log.debug("scheduled runs submitted", jobs=list(ticked.submitted))
        for name, reason in ticked.asleep.items():
            if self._asleep.get(name) != reason:
                _log.info("a schedule is asleep", job=name, reason=reason)
        for name in self._asleep.keys() & {*ticked.submitted, *ticked.skipped, *ticked.failed}:
            _log.info("a schedule is awake again", job=name)
            del self._asleep[name]
        self._asleep |= ticked.asleep
        for name, reason in ticked.failed.items():
            if self._failed.get(name) != reason:
                _log.warning("a scheduled run cannot be submitted", job=name, error=reason)
        for name in self._failed.keys() & {*ticked.submitted, *ticked.skipped}:
            _log.info("a scheduled run can be submitted again", job=name)
            del self._failed[name]
        self._failed |= ticked.failed
