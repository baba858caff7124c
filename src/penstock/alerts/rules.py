"""Health: what is known of the last day as facts, and what the rules find in them. Pure functions: no clock, no database.

A rule with a number has a threshold, beyond which it is bad, and an ideal; it is good again half-way between the two, so that a number that moves
around the threshold does not flap. A rule over subjects (a run, a series, a provider) finds one thing for each that is bad.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sqlalchemy import Connection

ALL = "all"

# A day with fewer records says nothing about the next one.
_LEAST_RECORDS = 100
_MINUTE_S = 60
_HOUR_S = 60 * _MINUTE_S
_DAY_S = 24 * _HOUR_S


class Rate(StrEnum):
    """The rules with a number, over all that ran."""

    SUCCESS_RATE = "success_rate"
    AVERAGE_DURATION = "average_duration"
    RECORDS_FALL = "records_fall"
    FAILED_RATE = "failed_rate"


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
class Bad:
    """A subject that is bad, and why in a sentence."""

    subject: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectRule:
    """A rule over subjects, such as runs or providers: `find` names those that are bad at a time (ms, by the database's clock).

    `counted` is said behind their number, `recovered` of one that is good again: a template with `{subject}`, and with `{name}` for the subject
    without its first word.
    """

    name: str
    counted: str
    recovered: str
    find: Callable[[Connection, int], Sequence[Bad]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the rules look at; records are those of the two last whole days, UTC. `bad` has the bad subjects by the name of the rule."""

    executions: Executions
    records_yesterday: int = 0
    records_before: int = 0
    bad: Mapping[str, Sequence[Bad]] = field(default_factory=dict)


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

    rule: str
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

    rule: str
    subject: str
    level: Level
    message: str


class Rules:
    """All rules of an installation: those with a number, and those over subjects that were declared."""

    def __init__(self, subjects: Sequence[SubjectRule], limits: Limits) -> None:
        self.subjects = {rule.name: rule for rule in subjects}
        self._limits = limits

    @property
    def names(self) -> list[str]:
        """What the rules are called."""
        return [*Rate, *self.subjects]

    def findings(self, facts: Facts) -> dict[tuple[str, str], Finding]:
        """One for each rule with a number, and one for each subject that is bad."""
        found = [
            Finding(one.rule, ALL, one.level, one.message) for one in rates(facts, self._limits)
        ]
        found += [
            Finding(name, one.subject, Level.BAD, one.message)
            for name in self.subjects
            for one in facts.bad.get(name, ())
        ]
        return {(one.rule, one.subject): one for one in found}

    def measures(self, facts: Facts) -> list[Measure]:
        """Every rule in numbers; of a rule over subjects the number of bad ones."""
        counts = [
            _count(rule, len(facts.bad.get(name, ()))) for name, rule in self.subjects.items()
        ]
        return [*rates(facts, self._limits), *counts]

    def recovered(self, name: str, subject: str) -> str:
        """What is said of a subject that is good again."""
        rule = self.subjects.get(name)
        told = f"{name} is good again" if rule is None else rule.recovered
        return told.format(subject=subject, name=subject.partition(" ")[2])


def rates(facts: Facts, limits: Limits) -> Iterator[Measure]:
    """The rules with a number."""
    done = facts.executions
    judged, of_day = _judged(done.ended, limits)
    succeeded = 100 * done.succeeded / done.ended if judged else None
    failed = 100 * done.failed / done.ended if judged else None
    timed, of_timed = _judged(done.timed, limits)
    average = done.average_duration_s if timed else None
    yield Measure(
        rule=Rate.SUCCESS_RATE,
        value=succeeded,
        threshold=limits.success_rate,
        ideal=95,
        unit="percent",
        message=_of(succeeded, "% succeeded", of_day, limits.success_rate),
        higher_is_better=True,
    )
    yield Measure(
        rule=Rate.FAILED_RATE,
        value=failed,
        threshold=limits.failed_rate,
        ideal=5,
        unit="percent",
        message=_of(failed, "% failed", of_day, limits.failed_rate),
    )
    yield Measure(
        rule=Rate.AVERAGE_DURATION,
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
    return (
        judged,
        f"{'of' if judged else 'only'} {executions} executions in 24 hours{'' if judged else f', judged from {limits.executions} on'}",
    )


def _of(value: float | None, what: str, of_day: str, threshold: float) -> str:
    return of_day if value is None else f"{value:.1f} {what} {of_day} (threshold {threshold:g})"


def _fall(facts: Facts, limits: Limits) -> Measure:
    """Yesterday against the day before: after a change that is meant, such as fewer symbols, it is good again a day later."""
    yesterday, before = facts.records_yesterday, facts.records_before
    value = max(0.0, 100 * (1 - yesterday / before)) if before >= _LEAST_RECORDS else None
    compared = f"{yesterday:,} records yesterday, {before:,} the day before"
    return Measure(
        rule=Rate.RECORDS_FALL,
        value=value,
        threshold=limits.records_fall,
        ideal=0,
        unit="percent",
        message=compared
        if value is None
        else f"{compared}: {value:.0f} % fewer (threshold {limits.records_fall:g})",
    )


def _count(rule: SubjectRule, value: int) -> Measure:
    return Measure(
        rule=rule.name,
        value=value,
        threshold=0,
        ideal=0,
        unit="count",
        message=f"{value} {rule.counted}",
    )


def duration(seconds: float) -> str:
    """`12 minutes`, `3 hours`, `2 days`: one unit, rounded down, as people say it."""
    whole = max(0, int(seconds))
    for unit, length in (("day", _DAY_S), ("hour", _HOUR_S), ("minute", _MINUTE_S)):
        if whole >= 2 * length or (unit == "minute" and whole >= length):
            return counted(whole // length, unit)
    return counted(whole, "second")


def counted(number: int, unit: str) -> str:
    """`1 hour`, `2 hours`."""
    return f"{number} {unit}{'' if number == 1 else 's'}"
