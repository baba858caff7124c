"""The governor keeps the requests of all processes to one provider below its limits."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from penstock.loop import first_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

# The window of most providers; a budget may have another.
WINDOW_S = 60
# A process reserves an eighth of what is left at once: many can share a window, and few ask often.
_PORTIONS = 8
# The longest that a provider is believed: Binance bans for up to three days.
LONGEST_PAUSE_S = 4 * 86_400
# Our share of a provider's limit; the rest is for other programs at the same address.
SHARE = 0.8


@dataclass(frozen=True, slots=True)
class Grant:
    """The weight that may be used in this window; if none, how long to wait before asking again."""

    weight: int
    wait_s: float = 0.0
    paused_s: float = 0.0


class WaitReason(StrEnum):
    """Why no request is sent.

    The limit is used up until the next window; the provider asked us to wait; it gave no answer,
    and a retry is due.
    """

    LIMIT = "limit"
    PAUSED = "paused"
    NO_ANSWER = "no_answer"


@dataclass(frozen=True, slots=True)
class Wait:
    """Until when no request is sent (s, by the clock of the windows), and why."""

    until: float
    reason: WaitReason


class Budget(Protocol):
    """What all processes have used of a provider's limit in the current window, and its pause.

    Windows begin at multiples of `window_s`: with 60 they are the clock's minutes. `generation`
    changes when the provider asks another process to wait, which voids earlier grants. `lifts`
    grows when a pause may have been lifted; then `lifted` wakes those who wait.
    """

    generation: int
    lifts: int
    lifted: asyncio.Event

    @property
    def window_s(self) -> int:
        """Length of a window, seconds."""

    async def reserve(self, least: int, limit: int) -> Grant:
        """Take a portion of at least `least` from what is left of `limit`; none during a pause."""

    async def observe(self, used: int) -> None:
        """Adopt the provider's own count, which includes other programs at our address."""

    async def pause(self, seconds: float) -> None:
        """Grant nothing for `seconds`, also after a restart; a longer pause stays."""


def portion(used: int, least: int, limit: int) -> int:
    """How much to take at once of what is left; 0 when `least` does not fit.

    In an unused window `least` always fits: otherwise it never would.
    """
    left = limit - used
    if least > left:
        return least if used == 0 else 0
    return min(left, max(least, left // _PORTIONS))


class LocalBudget:
    """The budget of this process alone; `paused_s` is what is left of a pause at its start."""

    def __init__(
        self,
        clock: Callable[[], float] = time.time,
        *,
        window_s: int = WINDOW_S,
        paused_s: float = 0.0,
    ) -> None:
        self.generation = 0
        self.lifts = 0
        self.lifted = asyncio.Event()
        self.window_s = window_s
        self._clock = clock
        self._window = 0
        self._used = 0
        self._paused_until = clock() + paused_s if paused_s else 0.0

    async def reserve(self, least: int, limit: int) -> Grant:
        now = self._clock()
        if self._paused_until > now:
            return Grant(0, self._paused_until - now, self._paused_until - now)
        self._roll(now)
        taken = portion(self._used, least, limit)
        self._used += taken
        return Grant(taken, self._window + self.window_s - now)

    async def observe(self, used: int) -> None:
        self._roll(self._clock())
        self._used = max(self._used, used)

    async def pause(self, seconds: float) -> None:
        self._paused_until = max(self._paused_until, self._clock() + seconds)

    def _roll(self, now: float) -> None:
        # A clock set back neither restarts the window nor keeps the old one for an hour.
        window = int(now // self.window_s * self.window_s)
        if window > self._window:
            self._used = 0
        self._window = window


class Governor:
    """Admits at most `share` of `weight` in each window of its budget, and nothing in a pause."""

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
        self._paused_at = self._pause_s = 0.0
        # The number of lifts when the budget had stored the pause; None: it has not.
        self._stored_at: int | None = None
        self._granted = 0
        self._void_at = 0.0
        self._seen, self._seen_at = 0, 0.0
        self._generation = budget.generation
        self._asking = asyncio.Lock()
        self.waiting: Wait | None = None

    async def admit(self, weight: int, *, longest_pause_s: float) -> float:
        """Wait until a request of this weight may be sent, and count it.

        Gives 0, or the seconds left of a pause longer than `longest_pause_s`: then do not send.
        """
        while not self._spend(weight):
            async with self._asking:
                if self._spend(weight):
                    break
                lifts = self._budget.lifts
                asked_at, grant = self.now(), await self._ask(weight)
                if grant.paused_s > longest_pause_s:
                    return grant.paused_s
                if grant.weight:
                    self._take(grant, asked_at)
                else:
                    reason = WaitReason.PAUSED if grant.paused_s else WaitReason.LIMIT
                    self.waiting = Wait(asked_at + grant.wait_s, reason)
                    await self._wait(grant.wait_s, lifts)
        return 0.0

    async def _wait(self, seconds: float, lifts: int) -> None:
        """Wait, but only until a pause is lifted; `lifts` were counted before."""
        try:
            await first_of(self._sleep(seconds), self._lifted_since(lifts))
        finally:
            self.waiting = None

    async def _lifted_since(self, lifts: int) -> None:
        while self._budget.lifts == lifts:
            await self._budget.lifted.wait()

    def now(self) -> float:
        """The clock of the windows, seconds."""
        return self._clock()

    async def pause(self, seconds: float) -> None:
        """Hold back the requests of all processes; those of this one even if the budget fails."""
        if seconds > self._pause_left_s():
            self._paused_at, self._pause_s = self._clock(), seconds
        self._granted = 0
        self._stored_at = None
        await self._budget.pause(seconds)
        self._stored_at = self._budget.lifts

    async def observe(self, used_weight: int, *, asked_at: float) -> None:
        """Compare with the provider's own count, for the window of the request.

        When it leaves no room for the granted weight, other programs use our address too.
        """
        if self._window(asked_at) != self._window(self._clock()):
            return
        self._seen, self._seen_at = used_weight, asked_at
        if used_weight + self._granted > self._limit:
            self._granted = 0
            await self._budget.observe(used_weight)

    async def _ask(self, weight: int) -> Grant:
        left_s = self._pause_left_s()
        if left_s > 0:
            return Grant(0, left_s, left_s)
        if self._seen + max(weight, self._limit // _PORTIONS) > self._limit and self._window(
            self._seen_at
        ) == self._window(self._clock()):
            # This near the limit the provider's count decides: a portion by ours could exceed it.
            await self._budget.observe(self._seen)
        return await self._budget.reserve(weight, self._limit)

    def _window(self, at: float) -> float:
        return at // self._budget.window_s

    def _pause_left_s(self) -> float:
        """What is left of this process's own pause, which restarts when the clock is set back."""
        if self._stored_at not in {None, self._budget.lifts}:
            # The budget has the pause too, unless it was lifted.
            self._pause_s = 0.0
        now = self._clock()
        self._paused_at = min(self._paused_at, now)
        return self._paused_at + self._pause_s - now

    def _take(self, grant: Grant, asked_at: float) -> None:
        # Count from the request: a grant ends with its window, however long the answer took.
        if self._clock() >= self._void_at:
            self._granted = 0
        self._granted += grant.weight
        self._void_at = asked_at + grant.wait_s

    def _spend(self, weight: int) -> bool:
        if self._pause_left_s() > 0:
            return False
        if self._generation != self._budget.generation or self._clock() >= self._void_at:
            self._generation, self._granted = self._budget.generation, 0
        if weight > self._granted:
            return False
        self._granted -= weight
        return True
