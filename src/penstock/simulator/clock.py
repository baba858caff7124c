"""The simulator's own clock: it starts at a chosen moment, can be set, and can run faster than the real one."""

from __future__ import annotations

import datetime as dt
import time
from typing import TYPE_CHECKING

from penstock.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Callable

EARLIEST_MS = 1_483_228_800_000
_LATEST_MS = 4_102_444_800_000
_FASTEST = 100_000


class Clock:
    """Simulated time in integer milliseconds since the epoch; `ticks` gives real seconds and never goes back."""

    def __init__(self, now_ms: int | None = None, speed: float = 1.0, *, ticks: Callable[[], float] = time.monotonic) -> None:
        self._ticks = ticks
        self._speed = 1.0
        self._origin_ms = 0
        self._started_s = 0.0
        self.set(int(time.time() * 1000) if now_ms is None else now_ms, speed)

    @property
    def speed(self) -> float:
        """How many simulated seconds pass in a real one."""
        return self._speed

    def now_ms(self) -> int:
        """The simulated time."""
        return self._origin_ms + int((self._ticks() - self._started_s) * 1000 * self._speed)

    def after_ms(self, real_s: float) -> int:
        """The simulated time that it will be when `real_s` real seconds have passed."""
        return self.now_ms() + int(real_s * 1000 * self._speed)

    def set(self, now_ms: int | None = None, speed: float | None = None) -> None:
        """Set the time, the speed or both; what is None goes on as it is. Raises InvalidInputError and changes nothing when one is out of bounds."""
        origin_ms = self.now_ms() if now_ms is None else check_now(now_ms)
        speed = self._speed if speed is None else check_speed(speed)
        self._origin_ms, self._speed, self._started_s = origin_ms, speed, self._ticks()


def check_now(now_ms: int) -> int:
    """The same time when it is between 2017 and 2100, the years for which candles are made."""
    if not EARLIEST_MS <= now_ms <= _LATEST_MS:
        msg = f"now: {now_ms} is not between 2017-01-01 and 2100-01-01; give ISO 8601 or milliseconds since the epoch"
        raise InvalidInputError(msg, field="now")
    return now_ms


def check_speed(speed: float) -> float:
    """The same speed when it is one: 0 stands still, 1 is real time, 60 a minute in a second."""
    if not 0 <= speed <= _FASTEST:
        msg = f"speed: {speed} is not between 0 and {_FASTEST}; 1 is real time, 60 is a minute in a second"
        raise InvalidInputError(msg, field="speed")
    return speed


def parse_now(text: str) -> int:
    """Milliseconds since the epoch from ISO 8601 (without an offset: UTC) or from milliseconds written as digits."""
    if text.isascii() and text.isdigit():
        return check_now(int(text))
    try:
        at = dt.datetime.fromisoformat(text)
    except ValueError as error:
        msg = f"now: {text!r} is neither ISO 8601 (2024-05-01T12:00:00Z) nor milliseconds since the epoch"
        raise InvalidInputError(msg, field="now") from error
    return check_now(int((at if at.tzinfo else at.replace(tzinfo=dt.UTC)).timestamp() * 1000))


def iso(at_ms: int) -> str:
    """The same moment as ISO 8601 in UTC, for people."""
    return dt.datetime.fromtimestamp(at_ms / 1000, tz=dt.UTC).isoformat(timespec="milliseconds")
