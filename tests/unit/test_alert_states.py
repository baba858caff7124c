"""The states of an alert: it fires, is sent once in the cool-down, and resolves after a while."""

from __future__ import annotations

from dataclasses import replace

from penstock.alerts.book import Alert, AlertState, Policy, advance, message_body, plain_text
from penstock.alerts.rules import ALL, Level, Rate, RuleFinding


def recovered(rule: str, subject: str) -> str:
    return f"{subject} is good again by {rule}"


POLICY = Policy(cooldown_ms=3_600_000, settle_ms=120_000, recovered=recovered)
MINUTE = 60_000


def finding(level: Level) -> RuleFinding:
    return RuleFinding(Rate.SUCCESS_RATE, ALL, level, level.value)


def play(
    *levels: Level, policy: Policy = POLICY, before: Alert | None = None, start: int = 0
) -> tuple[Alert | None, list[tuple[int, str]]]:
    """Evaluate once a minute; return the final alert, and the messages with their minutes."""
    sent = []
    for minute, level in enumerate(levels, start=start):
        step = advance(before, finding(level), minute * MINUTE, policy)
        if step is not None:
            before = step.alert
            if step.send:
                sent.append((minute, step.alert.state.value))
    return before, sent


GOOD, BETWEEN, BAD = Level.GOOD, Level.BETWEEN, Level.BAD


def test_an_alert_is_sent_once_when_it_fires_and_once_when_it_resolves() -> None:
    alert, sent = play(GOOD, BAD, BAD, BAD, GOOD, GOOD, GOOD, GOOD)
    assert sent == [(1, "firing"), (5, "resolved")]
    assert alert is not None
    assert (alert.state, alert.since, alert.message) == (AlertState.RESOLVED, 5 * MINUTE, "good")


def test_a_value_around_the_threshold_neither_fires_again_nor_resolves() -> None:
    assert play(BAD, BETWEEN, BAD, BETWEEN, BETWEEN, BETWEEN)[1] == [(0, "firing")]
    assert play(BAD, GOOD, BAD, GOOD, BAD, GOOD)[1] == [(0, "firing")]
    assert play(BETWEEN, BETWEEN) == (None, [])


def test_a_firing_alert_is_sent_again_after_the_cool_down() -> None:
    assert [minute for minute, _ in play(*[BAD] * 130)[1]] == [0, 60, 120]


def test_an_alert_that_fires_again_during_the_cool_down_is_sent_after_it() -> None:
    assert play(BAD, GOOD, GOOD, GOOD, BAD, GOOD, GOOD, GOOD)[1] == [(0, "firing"), (2, "resolved")]
    again = play(BAD, GOOD, GOOD, *[BAD] * 60, GOOD, GOOD, GOOD)[1]
    assert again == [(0, "firing"), (2, "resolved"), (60, "firing"), (64, "resolved")]


def test_an_alert_without_targets_is_sent_to_a_target_added_later() -> None:
    alone = replace(POLICY, has_targets=False)
    alert, sent = play(BAD, BAD, policy=alone)
    assert sent == []
    assert play(BAD, before=alert, start=2)[1] == [(2, "firing")]


def test_a_subject_that_disappeared_is_good() -> None:
    late = RuleFinding("late_data", "binance BTC/USDT 1h", BAD, "BTC/USDT 1h is 12 minutes late")
    step = advance(None, late, 0, POLICY)
    assert step is not None
    over = advance(step.alert, None, 2 * MINUTE, POLICY)
    assert over is not None
    assert (over.send, over.alert.message) == (
        True,
        "binance BTC/USDT 1h is good again by late_data",
    )


def test_a_message_names_fifty_alerts_and_counts_the_rest() -> None:
    alert, _ = play(BAD)
    assert alert is not None
    body = message_body([alert] * 60, 0)
    assert (len(body["alerts"]), body["more"]) == (50, 10)  # type: ignore[arg-type]
    assert body["title"] == "Penstock: 60 firing, 0 resolved"
    assert plain_text(body).splitlines()[-2:] == ["firing: bad", "… and 10 more"]
