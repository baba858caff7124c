"""Schedules: what runs automatically, and when. Times are ms since the epoch, UTC."""

from __future__ import annotations

import datetime as dt
import difflib
import re
import zoneinfo
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Protocol

from cronsim import CronSim, CronSimError

from penstock.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MS = dt.timedelta(milliseconds=1)
_CRON_FIELDS = 5
_ZONE_NAME = re.compile(r"[A-Za-z0-9/_+-]{1,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """When something runs: every `interval_s`, or as `cron` says by the clocks of `timezone`.

    `cron` has five fields. A time that daylight saving leaves out comes once, when the clocks have
    gone forward; one that exists twice comes once, the first time.
    """

    interval_s: int | None = None
    cron: str | None = None
    timezone: str | None = None

    def after(self, at: int, *, rhythm: int | None = None) -> int:
        """The first time after `at`; an interval keeps in step with `rhythm`, or begins at `at`."""
        if self.cron is not None:
            return next(self._cron_times(at))
        step = 1_000 * (self.interval_s or 0)
        begin = at if rhythm is None else rhythm
        return begin + ((at - begin) // step + 1) * step

    def following(self, first: int, count: int) -> list[int]:
        """The next `count` times of something that runs at `first`."""
        if self.cron is not None:
            return [first, *islice(self._cron_times(first), count - 1)]
        return [first + number * 1_000 * (self.interval_s or 0) for number in range(count)]

    def _cron_times(self, at: int) -> Iterator[int]:
        begin = (_EPOCH + at * _MS).astimezone(_zone(self.timezone or "UTC"))
        last = at
        for local in CronSim(self.cron or "", begin):
            found = (local.astimezone(dt.UTC) - _EPOCH) // _MS
            # Times that daylight saving puts on top of each other are one, and the hour that
            # comes twice does not go back.
            if found > last:
                last = found
                yield found


def cron_timing(cron: str, timezone: str | None) -> Timing:
    """The timing of a cron expression by the clocks of an IANA time zone (UTC).

    InvalidInputError when it is no expression, or one whose time never comes.
    """
    timing = Timing(cron=" ".join(cron.split()), timezone=timezone or "UTC")
    _zone(timezone or "UTC")
    if reason := _cron_fault(cron):
        raise InvalidInputError(
            f"cron: {cron[:40]!r} is not a valid cron expression ({reason}); "
            "write minute hour day month weekday, such as 30 2 * * 1-5",
            field="cron",
        )
    try:
        timing.after(0)
    except StopIteration:
        raise InvalidInputError(
            f"cron: {cron[:40]!r} names a day that never comes", field="cron"
        ) from None
    return timing


def _cron_fault(cron: str) -> str | None:
    try:
        CronSim(cron, _EPOCH)
    except CronSimError as error:
        return str(error).lower()
    return None if len(cron.split()) == _CRON_FIELDS else "not five fields"


def _zone(name: str) -> zoneinfo.ZoneInfo:
    # A name is part of a path: what has other signs than a zone's is not even looked for.
    if _ZONE_NAME.fullmatch(name):
        try:
            return zoneinfo.ZoneInfo(name)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            pass
    near = difflib.get_close_matches(name, _zones(), n=3, cutoff=0.5) or ["UTC", "Europe/Berlin"]
    raise InvalidInputError(
        f"timezone: unknown time zone {name[:40]!r}; use an IANA name such as {', '.join(near)}",
        field="timezone",
    )


@cache
def _zones() -> list[str]:
    return sorted(zoneinfo.available_timezones())


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule(Timing):
    """Submit a run of this kind at these times.

    The first one comes `first_after_s` after the schedule was made.
    `name` is its job name.
    """

    name: str
    kind: str
    params: Mapping[str, object]
    first_after_s: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticked:
    """What one claim of due schedules did.

    `skipped` names those whose resources are all busy; `asleep` and `failed` name those that submit
    nothing and those that could not be submitted, with the reason. All of them come again in their
    next turn. `next_in_s` is the wait for the next due time.
    """

    submitted: Sequence[str]
    skipped: Sequence[str]
    next_in_s: float | None
    failed: Mapping[str, str] = field(default_factory=dict)
    asleep: Mapping[str, str] = field(default_factory=dict)


class Schedules(Protocol):
    """Where schedules are kept."""

    async def tick(self, most: int) -> Ticked:
        """Claim up to `most` due schedules and submit their runs, in one transaction."""
