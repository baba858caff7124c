"""Health: what is known of the last day as facts, and what the rules find in them. Pure functions: no clock, no database.

A rule with a number has a threshold, beyond which it is bad, and an ideal; it is good again half-way between the two, so that a number that moves
around the threshold does not flap. A rule over subjects (a run, a series, a provider) finds one thing for each that is bad.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ALL = "all"

# A day with fewer records says nothing about the next one.
_LEAST_RECORDS = 100
_MINUTE_S = 60
_HOUR_S = 60 * _MINUTE_S
_DAY_S = 24 * _HOUR_S


class Rule(StrEnum):
    """What is watched."""

    SUCCESS_RATE = "success_rate"
    AVERAGE_DURATION = "average_duration"
    RECORDS_FALL = "records_fall"
    FAILED_RATE = "failed_rate"
    RUN_STUCK = "run_stuck"
    LATE_DATA = "late_data"
    PROVIDER_PAUSED = "provider_paused"
    NEW_GAPS = "new_gaps"
    RESTATED = "restated"
    MARKING_STOPPED = "marking_stopped"


class Level(StrEnum):
    """How it stands: between the two an alert that fires goes on, and none begins."""

    GOOD = "good"
    BETWEEN = "between"
    BAD = "bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class Executions:
    """What ended in the last 24 hours, cancelled ones left out.

    So many of them are `timed`: how long others take says nothing of how we fare. Without any there is no average.
    """

    succeeded: int = 0
    failed: int = 0
    timed: int = 0
    average_duration_s: float | None = None

    @property
    def ended(self) -> int:
        """Both together."""
        return self.succeeded + self.failed


@dataclass(frozen=True, slots=True)
class StuckRun:
    """A running run, and for how long it has made no progress."""

    task_id: str
    kind: str
    idle_s: float


@dataclass(frozen=True, slots=True)
class LateSeries:
    """A series, and how long ago the first candle has closed that should be stored and is not."""

    exchange: str
    symbol: str
    timeframe: str
    late_s: float


@dataclass(frozen=True, slots=True)
class NewGaps:
    """A series, and the holes between its newest candles that the exchange has confirmed by more than one answer."""

    exchange: str
    symbol: str
    timeframe: str
    gaps: int
    candles: int
    first: str


@dataclass(frozen=True, slots=True)
class RestatedSeries:
    """A series, and how many closed candles of it the exchange has changed in the last 24 hours."""

    exchange: str
    symbol: str
    timeframe: str
    candles: int


@dataclass(frozen=True, slots=True)
class PausedProvider:
    """A provider, and how long it still wants no request."""

    provider: str
    pause_s: float


@dataclass(frozen=True, slots=True)
class StoppedMarking:
    """An account whose newest export had so many rows without an id, and how many products it lacks, none of which was marked as gone."""

    account: str
    rows: int
    products: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the rules look at; records are those of the two last whole days, UTC."""

    executions: Executions
    records_yesterday: int = 0
    records_before: int = 0
    stuck: Sequence[StuckRun] = ()
    late: Sequence[LateSeries] = ()
    paused: Sequence[PausedProvider] = ()
    gaps: Sequence[NewGaps] = ()
    restated: Sequence[RestatedSeries] = ()
    unmarked: Sequence[StoppedMarking] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The thresholds: per cent and seconds. Rates and durations of fewer than `executions` are not judged."""

    success_rate: float = 90.0
    average_duration_s: float = 10.0
    records_fall: float = 20.0
    failed_rate: float = 10.0
    stuck_s: float = 1_800.0
    pause_s: float = 60.0
    executions: int = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A rule in numbers. `value` is None while there is too little to judge; of a rule over subjects it counts those that are bad."""

    rule: Rule
    value: float | None
    threshold: float
    ideal: float
    unit: str
    message: str
    higher_is_better: bool = False

    @property
    def level(self) -> Level:
        """How the value stands."""
        if self.value is None:
            return Level.GOOD
        sign = -1 if self.higher_is_better else 1
        value, bad = sign * self.value, sign * self.threshold
        if value > bad:
            return Level.BAD
        # An ideal that is less strict than the threshold cannot make it harder to recover.
        return Level.GOOD if value <= min(bad, (bad + sign * self.ideal) / 2) else Level.BETWEEN


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule finds of a subject, in plain words."""

    rule: Rule
    subject: str
    level: Level
    message: str


def findings(facts: Facts, limits: Limits) -> dict[tuple[Rule, str], Finding]:
    """One for each rule with a number, and one for each subject that is bad."""
    found = [Finding(one.rule, ALL, one.level, one.message) for one in rates(facts, limits)]
    found += [Finding(Rule.RUN_STUCK, one.task_id, Level.BAD, _stuck(one)) for one in facts.stuck]
    found += [Finding(Rule.LATE_DATA, _series(one), Level.BAD, _late(one)) for one in facts.late]
    found += [Finding(Rule.PROVIDER_PAUSED, one.provider, Level.BAD, _paused(one)) for one in facts.paused if one.pause_s > limits.pause_s]
    found += [Finding(Rule.NEW_GAPS, _series(one), Level.BAD, _holes(one)) for one in facts.gaps]
    found += [Finding(Rule.RESTATED, _series(one), Level.BAD, _restated(one)) for one in facts.restated]
    found += [Finding(Rule.MARKING_STOPPED, one.account, Level.BAD, _unmarked(one)) for one in facts.unmarked]
    return {(one.rule, one.subject): one for one in found}


def measures(facts: Facts, limits: Limits) -> list[Measure]:
    """Every rule in numbers."""
    paused = sum(one.pause_s > limits.pause_s for one in facts.paused)
    return [
        *rates(facts, limits),
        _count(Rule.RUN_STUCK, len(facts.stuck), f"runs without progress for {duration(limits.stuck_s)}"),
        _count(Rule.LATE_DATA, len(facts.late), "series with late data"),
        _count(Rule.MARKING_STOPPED, len(facts.unmarked), "accounts of which no product is marked as gone"),
        _count(Rule.PROVIDER_PAUSED, paused, f"providers that want no request for more than {duration(limits.pause_s)}"),
        _count(Rule.NEW_GAPS, len(facts.gaps), "series with holes in their newest candles"),
        _count(Rule.RESTATED, len(facts.restated), "series of which the exchange has changed closed candles in 24 hours"),
    ]


def rates(facts: Facts, limits: Limits) -> Iterator[Measure]:
    """The rules with a number."""
    done = facts.executions
    judged, of_day = _judged(done.ended, limits)
    succeeded = 100 * done.succeeded / done.ended if judged else None
    failed = 100 * done.failed / done.ended if judged else None
    timed, of_timed = _judged(done.timed, limits)
    average = done.average_duration_s if timed else None
    yield Measure(
        rule=Rule.SUCCESS_RATE,
        value=succeeded,
        threshold=limits.success_rate,
        ideal=95,
        unit="percent",
        message=_of(succeeded, "% succeeded", of_day, limits.success_rate),
        higher_is_better=True,
    )
    yield Measure(
        rule=Rule.FAILED_RATE,
        value=failed,
        threshold=limits.failed_rate,
        ideal=5,
        unit="percent",
        message=_of(failed, "% failed", of_day, limits.failed_rate),
    )
    yield Measure(
        rule=Rule.AVERAGE_DURATION,
        value=average,
        threshold=limits.average_duration_s,
        ideal=5,
        unit="seconds",
        message=_of(average, "seconds on average", of_timed, limits.average_duration_s),
    )
    yield _fall(facts, limits)


def _judged(executions: int, limits: Limits) -> tuple[bool, str]:
    """Whether there are enough, and how many there are in words."""
    judged = executions >= max(1, limits.executions)
    return judged, f"{'of' if judged else 'only'} {executions} executions in 24 hours{'' if judged else f', judged from {limits.executions} on'}"


def _of(value: float | None, what: str, of_day: str, threshold: float) -> str:
    return of_day if value is None else f"{value:.1f} {what} {of_day} (threshold {threshold:g})"


def _fall(facts: Facts, limits: Limits) -> Measure:
    """Yesterday against the day before: after a change that is meant, such as fewer symbols, it is good again a day later."""
    yesterday, before = facts.records_yesterday, facts.records_before
    value = max(0.0, 100 * (1 - yesterday / before)) if before >= _LEAST_RECORDS else None
    compared = f"{yesterday:,} records yesterday, {before:,} the day before"
    return Measure(
        rule=Rule.RECORDS_FALL,
        value=value,
        threshold=limits.records_fall,
        ideal=0,
        unit="percent",
        message=compared if value is None else f"{compared}: {value:.0f} % fewer (threshold {limits.records_fall:g})",
    )


def _count(rule: Rule, value: int, message: str) -> Measure:
    return Measure(rule=rule, value=value, threshold=0, ideal=0, unit="count", message=f"{value} {message}")


def _stuck(run: StuckRun) -> str:
    return f"{run.kind} {run.task_id} has made no progress for {duration(run.idle_s)}"


def _series(one: LateSeries | NewGaps | RestatedSeries) -> str:
    return f"{one.exchange} {one.symbol} {one.timeframe}"


def _late(one: LateSeries) -> str:
    return f"{one.symbol} {one.timeframe} is {duration(one.late_s)} late"


def _holes(one: NewGaps) -> str:
    name = f"{one.symbol} {one.timeframe}"
    return (
        f"{name}: {_counted(one.candles, 'candle')} missing in {_counted(one.gaps, 'gap')}, the first at {one.first}; see penstock gaps {one.symbol}"
    )


def _restated(one: RestatedSeries) -> str:
    changed = f"the exchange has changed {_counted(one.candles, 'closed candle')}"
    return f"{one.symbol} {one.timeframe}: {changed} in 24 hours; the values before are in the table restatement"


def _paused(one: PausedProvider) -> str:
    return f"{one.provider} wants no request for another {duration(one.pause_s)}"


def _unmarked(one: StoppedMarking) -> str:
    rows = f"{_counted(one.rows, 'row')} of the newest export cannot be read and {'has' if one.rows == 1 else 'have'} no id"
    missing = (
        f"{_counted(one.products, 'missing product')} may be sold and {'is' if one.products == 1 else 'are'} still shown"
        if one.products
        else "none is missing"
    )
    return f"{one.account}: no product is marked as gone, because {rows}; {missing}"


# What is said of a subject that is not bad any more; `name` is the subject without the exchange ahead of it.
_RECOVERED = {
    Rule.RUN_STUCK: "{subject} goes on or has ended",
    Rule.LATE_DATA: "{name} is up to date again",
    Rule.NEW_GAPS: "{name} has no hole in its newest candles any more, or it is an old one",
    Rule.RESTATED: "no closed candle of {name} was changed for 24 hours",
    Rule.PROVIDER_PAUSED: "{subject} takes requests again",
    Rule.MARKING_STOPPED: "{subject}: what is missing is marked as gone again",
}


def recovered(rule: Rule, subject: str) -> str:
    """What is said of a subject that is not bad any more."""
    told = _RECOVERED.get(rule, f"{rule} is good again")
    return told.format(subject=subject, name=subject.partition(" ")[2])


def duration(seconds: float) -> str:
    """`12 minutes`, `3 hours`, `2 days`: one unit, rounded down, as people say it."""
    whole = max(0, int(seconds))
    for unit, length in (("day", _DAY_S), ("hour", _HOUR_S), ("minute", _MINUTE_S)):
        if whole >= 2 * length or (unit == "minute" and whole >= length):
            return _counted(whole // length, unit)
    return _counted(whole, "second")


def _counted(number: int, unit: str) -> str:
    return f"{number} {unit}{'' if number == 1 else 's'}"
