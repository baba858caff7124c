"""Times of schedules: intervals keep their rhythm, cron follows the clock of its time zone."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import InvalidInputError
from penstock.runs.schedule import Timing, cron_timing

BERLIN = "Europe/Berlin"
_YEARS_2020_TO_2035 = st.integers(1_577_836_800_000, 2_051_222_400_000)
_ZONES = st.sampled_from(
    [
        "UTC",
        BERLIN,
        "America/New_York",
        "Australia/Lord_Howe",
        "Asia/Kathmandu",
        "Pacific/Apia",
        "Africa/Casablanca",
    ]
)


def ms(text: str) -> int:
    return int(dt.datetime.fromisoformat(text).timestamp() * 1000)


def shown(times: list[int]) -> list[str]:
    return [dt.datetime.fromtimestamp(at / 1000, dt.UTC).strftime("%m-%d %H:%M") for at in times]


def next_runs(cron: str, after: str, count: int = 3) -> list[str]:
    timing = cron_timing(cron, BERLIN)
    return shown(timing.following(timing.after(ms(after)), count))


def test_a_time_skipped_by_daylight_saving_occurs_once_after_the_change() -> None:
    assert next_runs("30 2 * * *", "2026-03-28T12:00Z") == [
        "03-29 01:00",
        "03-30 00:30",
        "03-31 00:30",
    ]
    assert next_runs("0,30 2 * * *", "2026-03-28T12:00Z") == [
        "03-29 01:00",
        "03-30 00:00",
        "03-30 00:30",
    ]


def test_a_time_that_occurs_twice_runs_once() -> None:
    assert next_runs("30 2 * * *", "2026-10-24T12:00Z") == [
        "10-25 00:30",
        "10-26 01:30",
        "10-27 01:30",
    ]
    assert next_runs("30 2 * * *", "2026-10-25T01:15Z") == [
        "10-26 01:30",
        "10-27 01:30",
        "10-28 01:30",
    ], "requested between the two"


def test_a_half_hourly_schedule_runs_through_both_changes() -> None:
    assert next_runs("*/30 * * * *", "2026-10-25T00:15Z", 4) == [
        "10-25 00:30",
        "10-25 01:00",
        "10-25 01:30",
        "10-25 02:00",
    ]
    assert next_runs("*/30 * * * *", "2026-03-29T00:15Z", 4) == [
        "03-29 00:30",
        "03-29 01:00",
        "03-29 01:30",
        "03-29 02:00",
    ]


@given(
    minute=st.integers(0, 59),
    hour=st.integers(0, 23),
    weekday=st.sampled_from(["*", "1-5", "0"]),
    zone=_ZONES,
    at=_YEARS_2020_TO_2035,
)
def test_daily_times_are_in_order_and_follow_the_clock_of_their_zone(
    minute: int, hour: int, weekday: str, zone: str, at: int
) -> None:
    timing = cron_timing(f"{minute} {hour} * * {weekday}", zone)
    times = timing.following(timing.after(at), 40)
    assert at < times[0]
    assert all(a < b for a, b in pairwise(times))
    for time in times:
        local = dt.datetime.fromtimestamp(time / 1000, zoneinfo.ZoneInfo(zone))
        wall = local.replace(hour=hour, minute=minute)
        exists = wall.astimezone(dt.UTC).astimezone(local.tzinfo) == wall
        assert (local.hour, local.minute) == (hour, minute) or not exists
    assert (
        len(
            {
                dt.datetime.fromtimestamp(time / 1000, zoneinfo.ZoneInfo(zone)).date()
                for time in times
            }
        )
        == 40
    ), "once a day"


@given(
    step=st.sampled_from([1, 5, 7, 15, 30]),
    zone=_ZONES,
    at=_YEARS_2020_TO_2035,
    asked=st.integers(0, 10**8),
)
def test_asking_later_gives_the_same_times(step: int, zone: str, at: int, asked: int) -> None:
    timing = cron_timing(f"*/{step} * * * *", zone)
    times = timing.following(timing.after(at), 60)
    assert all(a < b for a, b in pairwise(times))
    later = at + asked % (times[-2] - at)
    assert timing.after(later) == next(time for time in times if time > later)


@given(interval_s=st.integers(1, 10**7), rhythm=_YEARS_2020_TO_2035, late=st.integers(0, 10**10))
def test_an_interval_keeps_its_rhythm_however_late_it_is(
    interval_s: int, rhythm: int, late: int
) -> None:
    timing = Timing(interval_s=interval_s)
    following = timing.after(rhythm + late, rhythm=rhythm)
    assert 0 < following - (rhythm + late) <= interval_s * 1000
    assert (following - rhythm) % (interval_s * 1000) == 0
    assert timing.following(following, 3) == [
        following,
        following + interval_s * 1000,
        following + 2 * interval_s * 1000,
    ]


@pytest.mark.parametrize(
    ("cron", "zone", "field"),
    [
        ("", "UTC", "cron"),
        ("* * * *", "UTC", "cron"),
        ("* * * * * *", "UTC", "cron"),
        ("60 * * * *", "UTC", "cron"),
        ("@daily", "UTC", "cron"),
        ("0 0 31 2 *", "UTC", "cron"),
        ("* * */20 * 1L", "UTC", "cron"),
        ("0 0 * * *", "Mars/Base", "timezone"),
        ("0 0 * * *", "../../etc/passwd", "timezone"),
        ("0 0 * * *", "Europe", "timezone"),
        ("0 0 * * *", "a\0b", "timezone"),
        ("0 0 * * *", "Z" * 300, "timezone"),
    ],
)
def test_an_invalid_time_is_refused_naming_its_field(cron: str, zone: str, field: str) -> None:
    with pytest.raises(InvalidInputError, match=f"^{field}: ") as refused:
        cron_timing(cron, zone)
    assert refused.value.field == field
