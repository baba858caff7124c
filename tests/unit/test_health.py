"""The alert rules: what they find in the facts, and their messages."""

from __future__ import annotations

import pytest

from penstock.alerts.rules import (
    ALL,
    AlertLimits,
    BadSubject,
    Executions,
    HealthFacts,
    Level,
    Rate,
    Rules,
    SubjectRule,
    duration,
)

LIMITS = AlertLimits()
LATE = SubjectRule(
    name="late",
    counted="late ones",
    recovered="{name} of {subject} is good",
    find=lambda _connection, _now: [],
)
RULES = Rules([LATE], LIMITS)


def facts(
    succeeded: int = 0, failed: int = 0, average_s: float | None = None, **more: object
) -> HealthFacts:
    done = Executions(
        succeeded=succeeded, failed=failed, timed=succeeded + failed, average_duration_s=average_s
    )
    return HealthFacts(executions=done, **more)  # type: ignore[arg-type]


def level(rule: Rate, found: HealthFacts, limits: AlertLimits = LIMITS) -> Level:
    return Rules([], limits).findings(found)[rule, ALL].level


@pytest.mark.parametrize(
    ("succeeded", "failed", "expected"),
    [
        (100, 0, Level.GOOD),
        (93, 7, Level.GOOD),
        (92, 8, Level.BETWEEN),
        (90, 10, Level.BETWEEN),
        (89, 11, Level.BAD),
        (0, 10, Level.BAD),
    ],
)
def test_the_rates_are_bad_beyond_their_threshold_and_good_half_way_to_the_ideal(
    succeeded: int, failed: int, expected: Level
) -> None:
    assert level(Rate.SUCCESS_RATE, facts(succeeded, failed)) is expected
    assert level(Rate.FAILED_RATE, facts(succeeded, failed)) is expected


def test_one_failure_out_of_two_is_not_judged() -> None:
    assert level(Rate.SUCCESS_RATE, facts(1, 1)) is Level.GOOD
    assert level(Rate.SUCCESS_RATE, facts(4, 5)) is Level.GOOD
    assert level(Rate.SUCCESS_RATE, facts(5, 5)) is Level.BAD
    assert level(Rate.SUCCESS_RATE, facts(), AlertLimits(executions=1)) is Level.GOOD


@pytest.mark.parametrize(
    ("average_s", "expected"),
    [(7.5, Level.GOOD), (7.6, Level.BETWEEN), (10.0, Level.BETWEEN), (10.1, Level.BAD)],
)
def test_slow_executions_are_bad(average_s: float, expected: Level) -> None:
    assert level(Rate.AVERAGE_DURATION, facts(20, 0, average_s)) is expected


def test_only_timed_executions_count_for_durations() -> None:
    few = HealthFacts(executions=Executions(succeeded=20, timed=9, average_duration_s=100.0))
    assert level(Rate.AVERAGE_DURATION, few) is Level.GOOD
    assert (
        RULES.findings(few)[Rate.AVERAGE_DURATION, ALL].message
        == "only 9 executions in 24 hours, judged from 10 on"
    )
    assert (
        level(
            Rate.AVERAGE_DURATION,
            HealthFacts(executions=Executions(succeeded=20, timed=10, average_duration_s=100.0)),
        )
        is Level.BAD
    )


@pytest.mark.parametrize(
    ("yesterday", "before", "expected"),
    [
        (1000, 1000, Level.GOOD),
        (2000, 1000, Level.GOOD),
        (850, 1000, Level.BETWEEN),
        (799, 1000, Level.BAD),
        (0, 99, Level.GOOD),
        (0, 0, Level.GOOD),
    ],
)
def test_a_day_with_far_fewer_records_than_the_one_before_is_bad(
    yesterday: int, before: int, expected: Level
) -> None:
    assert (
        level(Rate.RECORDS_FALL, facts(records_yesterday=yesterday, records_before=before))
        is expected
    )


def test_a_threshold_beyond_the_ideal_is_also_the_recovery_point() -> None:
    assert level(Rate.SUCCESS_RATE, facts(99, 1), AlertLimits(success_rate=99)) is Level.GOOD
    assert level(Rate.SUCCESS_RATE, facts(98, 2), AlertLimits(success_rate=99)) is Level.BAD


def test_each_bad_subject_is_found_with_its_message() -> None:
    found = RULES.findings(facts(bad={"late": [BadSubject("x A/B 1m", "A/B 1m is late")]}))
    measure = found["late", "x A/B 1m"]
    assert (measure.level, measure.message) == (Level.BAD, "A/B 1m is late")


def test_every_rule_has_its_measure() -> None:
    found = {
        measure.rule: measure
        for measure in RULES.measures(
            facts(19, 1, 2.0, bad={"late": [BadSubject("x A/B 1m", "late")]})
        )
    }
    assert set(found) == set(RULES.names) == {*Rate, "late"}
    assert found[Rate.SUCCESS_RATE].value == 95.0
    assert (found["late"].value, found["late"].message) == (1, "1 late ones")
    assert found[Rate.RECORDS_FALL].value is None


def test_a_recovery_is_described_by_its_rule_even_when_the_rule_is_gone() -> None:
    assert RULES.recovered("late", "x A/B 1m") == "A/B 1m of x A/B 1m is good"
    assert RULES.recovered("forgotten", "x") == "forgotten is good again"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 seconds"),
        (59, "59 seconds"),
        (60, "1 minute"),
        (3600, "60 minutes"),
        (7200, "2 hours"),
        (86_400, "24 hours"),
        (200_000, "2 days"),
    ],
)
def test_durations_are_shown_in_one_unit(seconds: float, words: str) -> None:
    assert duration(seconds) == words
