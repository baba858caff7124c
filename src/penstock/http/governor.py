"""The governor keeps all requests to one provider, of every process together, below the provider's limits."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

# The window by which most providers count; a budget may have another one.
WINDOW_S = 60
# A process takes what it may use in portions of what is left, so that many can share a minute and few ask often.
_PORTIONS = 8
# Of what a provider allows; the rest is for other programs behind the same address.
SHARE = 0.8


@dataclass(frozen=True, slots=True)
class Grant:
    """An answer to a request for weight: how much may be used in this window, or, when nothing, how long to wait before asking again."""

    weight: int
    wait_s: float = 0.0
    paused_s: float = 0.0


class Why(StrEnum):
    """The provider's limit is used up until the next window; it told us to wait; it gave no answer, and is asked again."""

    LIMIT = "limit"
    TOLD = "told"
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class Wait:
    """Until when no request is sent (s, by the clock of the windows), and why."""

    until: float
    why: Why


class Budget(Protocol):
    """What all processes together have used of a provider's limit in the running window, and how long it told us to wait.

    Windows are `window_s` long and begin where the clock is a multiple of that: with 60 they are the clock's minutes. `generation` changes when
    another process was told to wait: what was granted before is void then.
    """

    generation: int

    @property
    def window_s(self) -> int:
        """The length of a window, seconds."""

    async def reserve(self, least: int, limit: int) -> Grant:
        """Take a portion of at least `least` from what is left of `limit`; nothing while the provider told us to wait."""

    async def observe(self, used: int) -> None:
        """The provider counts more than we do: other programs use the same address."""

    async def pause(self, seconds: float) -> None:
        """Grant nothing for so long, also after a restart; a longer pause that is already there stays."""


def portion(used: int, least: int, limit: int) -> int:
    """How much to take at once of what is left; 0 when `least` does not fit (unless nothing was used: then it never would)."""
    left = limit - used
    if least > left:
        return least if used == 0 else 0
    return min(left, max(least, left // _PORTIONS))


class LocalBudget:
    """The budget of this process alone."""

    def __init__(self, clock: Callable[[], float] = time.time, *, window_s: int = WINDOW_S) -> None:
        self.generation = 0
        self.window_s = window_s
        self._clock = clock
        self._window = 0
        self._used = 0
        self._paused_until = 0.0

    async def reserve(self, least: int, limit: int) -> Grant:
        """See Budget."""
        now = self._clock()
        if self._paused_until > now:
            return Grant(0, self._paused_until - now, self._paused_until - now)
        self._roll(now)
        taken = portion(self._used, least, limit)
        self._used += taken
        return Grant(taken, self._window + self.window_s - now)

    async def observe(self, used: int) -> None:
        """See Budget."""
        self._roll(self._clock())
        self._used = max(self._used, used)

    async def pause(self, seconds: float) -> None:
        """See Budget."""
        self._paused_until = max(self._paused_until, self._clock() + seconds)

    def _roll(self, now: float) -> None:
        # A clock that was set back does not start the window anew, and does not keep the old one for an hour either.
        window = int(now // self.window_s * self.window_s)
        if window > self._window:
            self._used = 0
        self._window = window


class Governor:
    """Admits requests by weight, at most `share` of `weight` in any window of its budget, and none while the provider told us to wait."""

    def __init__(
        self,
        weight: int,
        budget: Budget,
        *,
        share: float = SHARE,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._limit = int(weight * share)
        self._budget = budget
        self._clock = clock
        self._sleep = sleep
        self._told_at = self._told_s = 0.0
        self._granted = 0
        self._void_at = 0.0
        self._seen, self._seen_at = 0, 0.0
        self._generation = budget.generation
        self._asking = asyncio.Lock()
        self.waiting: Wait | None = None

    async def admit(self, weight: int, *, longest_pause_s: float) -> float:
        """Wait until a request of this weight may be sent, and count it.

        Gives 0, or the seconds still to wait when the provider told us to wait for longer than `longest_pause_s`; nothing may be sent then.
        """
        while not self._spend(weight):
            async with self._asking:
                if self._spend(weight):
                    break
                asked_at, grant = self.now(), await self._ask(weight)
                if grant.paused_s > longest_pause_s:
                    return grant.paused_s
                if grant.weight:
                    self._take(grant, asked_at)
                else:
                    await self._wait(
                        Wait(asked_at + grant.wait_s, Why.TOLD if grant.paused_s else Why.LIMIT),
                        grant.wait_s,
                    )
        return 0.0

    async def _wait(self, wait: Wait, seconds: float) -> None:
        self.waiting = wait
        try:
            await self._sleep(seconds)
        finally:
            self.waiting = None

    def now(self) -> float:
        """The time by which windows are counted, seconds."""
        return self._clock()

    async def pause(self, seconds: float) -> None:
        """Let no request of any process through for so long; none of this one from now on, even if the others cannot be told."""
        if seconds > self._quiet_s():
            self._told_at, self._told_s = self._clock(), seconds
        self._granted = 0
        await self._budget.pause(seconds)

    async def observe(self, used_weight: int, *, asked_at: float) -> None:
        """The provider's own count, for the window in which it was asked: when it leaves no room for what was granted, others use the address too."""
        if self._window(asked_at) != self._window(self._clock()):
            return
        self._seen, self._seen_at = used_weight, asked_at
        if used_weight + self._granted > self._limit:
            self._granted = 0
            await self._budget.observe(used_weight)

    async def _ask(self, weight: int) -> Grant:
        quiet_s = self._quiet_s()
        if quiet_s > 0:
            return Grant(0, quiet_s, quiet_s)
        if self._seen + max(weight, self._limit // _PORTIONS) > self._limit and self._window(
            self._seen_at
        ) == self._window(self._clock()):
            # So near to the limit the provider's count comes first: a portion by ours could go beyond.
            await self._budget.observe(self._seen)
        return await self._budget.reserve(weight, self._limit)

    def _window(self, at: float) -> float:
        return at // self._budget.window_s

    def _quiet_s(self) -> float:
        """What is left of a pause that this process was told; it begins anew when the clock is set back."""
        now = self._clock()
        self._told_at = min(self._told_at, now)
        return self._told_at + self._told_s - now

    def _take(self, grant: Grant, asked_at: float) -> None:
        # From when it was asked for: however long the answer took, a grant ends with its window.
        if self._clock() >= self._void_at:
            self._granted = 0
        self._granted += grant.weight
        self._void_at = asked_at + grant.wait_s

    def _spend(self, weight: int) -> bool:
        if self._quiet_s() > 0:
            return False
        if self._generation != self._budget.generation or self._clock() >= self._void_at:
            self._generation, self._granted = self._budget.generation, 0
        if weight > self._granted:
            return False
        self._granted -= weight
        return True
