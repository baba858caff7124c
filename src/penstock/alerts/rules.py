"""The health rules, as pure functions of the facts of the last day: no clock, no database.

A rule with a number is bad beyond its threshold and good again half-way between threshold and
ideal, so that a number near the threshold does not flap. A rule over subjects (runs, series,
providers) has one finding per bad subject.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from penstock.name import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sqlalchemy import Connection

ALL = "all"

# A day with fewer records is no basis for comparison.
_MIN_RECORDS = 100
_MINUTE_S = 60
_HOUR_S = 60 * _MINUTE_S
_DAY_S = 24 * _HOUR_S


class Rate(StrEnum):
    """The rules with a number, over all executions."""

    SUCCESS_RATE = "success_rate"
    AVERAGE_DURATION = "average_duration"
    RECORDS_FALL = "records_fall"
    FAILED_RATE = "failed_rate"


class Level(StrEnum):
    """At BETWEEN a firing alert keeps firing, and no new one starts."""

    GOOD = "good"
    BETWEEN = "between"
    BAD = "bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class Executions:
    """The executions that ended in the last 24 hours, except cancelled ones.

    The average counts the `timed` ones, whose duration depends on us; without any it is None.
    """

    succeeded: int = 0
    failed: int = 0
    timed: int = 0
    average_duration_s: float | None = None

    @property
    def ended(self) -> int:
        return self.succeeded + self.failed


@dataclass(frozen=True, slots=True)
class BadSubject:
    """A bad subject, and the reason in a sentence."""

    subject: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectRule:
    """A rule over subjects, such as runs or providers.

    `find` gives the bad subjects at a time (ms, the database's clock). `counted` follows their
    number in a message. `recovered` is the template of a recovery, with `{subject}`, and `{name}`
    for the subject without its first word.
    """

    name: str
    counted: str
    recovered: str
    find: Callable[[Connection, int], Sequence[BadSubject]]


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthFacts:
    """What the rules evaluate.

    Records are those of the last two whole days, UTC; `bad` has the bad subjects by rule name.
    """

    executions: Executions
    records_yesterday: int = 0
    records_before: int = 0
    bad: Mapping[str, Sequence[BadSubject]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertLimits:
    """Thresholds in percent and seconds; rates and durations need at least `executions`."""

    success_rate: float = 90.0
    average_duration_s: float = 10.0
    records_fall: float = 20.0
    failed_rate: float = 10.0
    stuck_s: float = 1_800.0
    pause_s: float = 60.0
    executions: int = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A rule in numbers.

    `value` is None while there is too little data; for a rule over subjects it counts bad ones.
    """

    rule: str
    value: float | None
    threshold: float
    ideal: float
    unit: str
    message: str
    higher_is_better: bool = False

    @property
    def level(self) -> Level:
        if self.value is None:
            return Level.GOOD
        sign = -1 if self.higher_is_better else 1
        value, bad = sign * self.value, sign * self.threshold
        if value > bad:
            return Level.BAD
        # An ideal less strict than the threshold must not make recovery harder.
        return Level.GOOD if value <= min(bad, (bad + sign * self.ideal) / 2) else Level.BETWEEN


@dataclass(frozen=True, slots=True)
class RuleFinding:
    """A rule's judgement of a subject, in words."""

    rule: str
    subject: str
    level: Level
    message: str


class Rules:
    """All rules: those with a number, and the declared ones over subjects."""

    def __init__(self, subjects: Sequence[SubjectRule], limits: AlertLimits) -> None:
        self.subjects = {rule.name: rule for rule in subjects}
        self._limits = limits

    @property
    def names(self) -> list[str]:
        return [*Rate, *self.subjects]

    def findings(self, facts: HealthFacts) -> dict[tuple[str, str], RuleFinding]:
        """One finding per rule with a number and per bad subject, by rule and subject."""
        found = [
            RuleFinding(rate.rule, ALL, rate.level, rate.message)
            for rate in rates(facts, self._limits)
        ]
        found += [
            RuleFinding(name, bad.subject, Level.BAD, bad.message)
            for name in self.subjects
            for bad in facts.bad.get(name, ())
        ]
        return {(finding.rule, finding.subject): finding for finding in found}

    def measures(self, facts: HealthFacts) -> list[Measure]:
        """Every rule in numbers."""
        counts = [
            _count(rule, len(facts.bad.get(name, ()))) for name, rule in self.subjects.items()
        ]
        return [*rates(facts, self._limits), *counts]

    def recovered(self, name: str, subject: str) -> str:
        """The message for a subject that recovered."""
        rule = self.subjects.get(name)
        template = f"{name} is good again" if rule is None else rule.recovered
        return template.format(subject=subject, name=subject.partition(" ")[2])


def rates(facts: HealthFacts, limits: AlertLimits) -> Iterator[Measure]:
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


def _judged(executions: int, limits: AlertLimits) -> tuple[bool, str]:
    """Whether there are enough executions, and their number in words."""
    if executions >= max(1, limits.executions):
        return True, f"of {executions} executions in 24 hours"
    return False, f"only {executions} executions in 24 hours, judged from {limits.executions} on"


def _of(value: float | None, what: str, of_day: str, threshold: float) -> str:
    return of_day if value is None else f"{value:.1f} {what} {of_day} (threshold {threshold:g})"


def _fall(facts: HealthFacts, limits: AlertLimits) -> Measure:
    """Yesterday against the day before: a day after an intended drop it is good again."""
    yesterday, before = facts.records_yesterday, facts.records_before
    value = max(0.0, 100 * (1 - yesterday / before)) if before >= _MIN_RECORDS else None
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
    """`12 minutes`, `3 hours`, `2 days`: one unit, rounded down."""
    whole = max(0, int(seconds))
    for unit, length in (("day", _DAY_S), ("hour", _HOUR_S), ("minute", _MINUTE_S)):
        if whole >= 2 * length or (unit == "minute" and whole >= length):
            return counted(whole // length, unit)
    return counted(whole, "second")
