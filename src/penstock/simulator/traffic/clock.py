"""The simulator's clock, which starts at any time, can be set, and can run fast."""

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


class SimulatedClock:
    """Simulated time in ms since the epoch; `ticks` gives real seconds and never goes back."""

    def __init__(
        self,
        now_ms: int | None = None,
        speed: float = 1.0,
        *,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ticks = ticks
        self._started_s = ticks()
        self._origin_ms = int(time.time() * 1000) if now_ms is None else check_now(now_ms)
        self.speed = check_speed(speed)

    def now_ms(self) -> int:
        return self.after_ms(0)

    def after_ms(self, real_s: float) -> int:
        """The simulated time after `real_s` more real seconds."""
        return self._origin_ms + int((self._ticks() - self._started_s + real_s) * 1000 * self.speed)

    def set(self, now_ms: int | None = None, speed: float | None = None) -> None:
        """Set the time, the speed, or both; None leaves it as it is.

        Raises InvalidInputError and changes nothing when one is out of bounds.
        """
        origin_ms = self.now_ms() if now_ms is None else check_now(now_ms)
        speed = self.speed if speed is None else check_speed(speed)
        self._origin_ms, self.speed, self._started_s = origin_ms, speed, self._ticks()


def check_now(now_ms: int) -> int:
    """The time if it is from 2017 to 2100, the years that have candles."""
    if not EARLIEST_MS <= now_ms <= _LATEST_MS:
        msg = (
            f"now: {now_ms} is not between 2017-01-01 and 2100-01-01; "
            "give ISO 8601 or milliseconds since the epoch"
        )
        raise InvalidInputError(msg, field="now")
    return now_ms


def check_speed(speed: float) -> float:
    """The speed if it is valid: 0 stands still, 1 is real time."""
    if not 0 <= speed <= _FASTEST:
        msg = (
            f"speed: {speed} is not between 0 and {_FASTEST}; "
            "1 is real time, 60 is a minute in a second"
        )
        raise InvalidInputError(msg, field="speed")
    return speed


def parse_now(text: str) -> int:
    """Milliseconds since the epoch, from digits or ISO 8601 (UTC if it has no offset)."""
    if text.isascii() and text.isdigit():
        return check_now(int(text))
    try:
        at = dt.datetime.fromisoformat(text)
    except ValueError as error:
        msg = (
            f"now: {text!r} is neither ISO 8601 (2024-05-01T12:00:00Z) "
            "nor milliseconds since the epoch"
        )
        raise InvalidInputError(msg, field="now") from error
    return check_now(int((at if at.tzinfo else at.replace(tzinfo=dt.UTC)).timestamp() * 1000))


def iso(at_ms: int) -> str:
    """The time as ISO 8601 in UTC."""
    return dt.datetime.fromtimestamp(at_ms / 1000, tz=dt.UTC).isoformat(timespec="milliseconds")
