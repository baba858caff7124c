"""Alert states, when a change of state is sent, and the ports that store and send."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

from penstock.alerts.rules import Level
from penstock.moment import iso

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from penstock.alerts.rules import RuleFinding

# In one message: when everything is late, that matters, not each name.
_MAX_NAMED = 50


class AlertState(StrEnum):
    """`ok` is never stored: it is the state of a rule that never fired for a subject."""

    OK = "ok"
    FIRING = "firing"
    RESOLVED = "resolved"


class TargetKind(StrEnum):
    """How a message reaches a target."""

    WEBHOOK = "webhook"
    APPRISE = "apprise"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """A rule's state for a subject. Times are ms.

    `since`: when the state began; `seen_at`: when it was last not good; `notified_at`: when it was
    last sent as firing.
    """

    rule: str
    subject: str
    state: AlertState
    message: str
    since: int
    seen_at: int
    notified_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """When an alert is sent, sent again and resolved.

    `cooldown_ms` must pass before the same alert is sent again. It is resolved after `settle_ms`
    of good evaluations. `recovered` gives the message for a rule and a subject that recovered.
    """

    cooldown_ms: int
    settle_ms: int
    recovered: Callable[[str, str], str]
    has_targets: bool = True


@dataclass(frozen=True, slots=True)
class AlertChange:
    """An alert after an evaluation, and whether to send it."""

    alert: Alert
    send: bool


def advance(
    before: Alert | None, finding: RuleFinding | None, now: int, policy: Policy
) -> AlertChange | None:
    """How an evaluation changes an alert; None if it does not.

    Without a finding the subject is good.
    """
    if finding is not None and finding.level is Level.BAD:
        return _fire(before, finding, now, policy)
    if before is None or before.state is not AlertState.FIRING:
        return None
    if finding is not None and finding.level is Level.BETWEEN:
        return AlertChange(replace(before, seen_at=now), send=False)
    return (
        _resolve(before, finding, now, policy) if now - before.seen_at >= policy.settle_ms else None
    )


def _fire(before: Alert | None, finding: RuleFinding, now: int, policy: Policy) -> AlertChange:
    firing = before is not None and before.state is AlertState.FIRING
    sent_at = before.notified_at if before else None
    send = policy.has_targets and (sent_at is None or now - sent_at >= policy.cooldown_ms)
    alert = Alert(
        rule=finding.rule,
        subject=finding.subject,
        state=AlertState.FIRING,
        message=finding.message,
        since=before.since if before and firing else now,
        seen_at=now,
        notified_at=now if send else sent_at,
    )
    return AlertChange(alert, send)


def _resolve(before: Alert, finding: RuleFinding | None, now: int, policy: Policy) -> AlertChange:
    """The end of an alert is sent only if its start was."""
    message = finding.message if finding else policy.recovered(before.rule, before.subject)
    send = before.notified_at is not None and before.notified_at >= before.since
    return AlertChange(replace(before, state=AlertState.RESOLVED, message=message, since=now), send)


def message_body(alerts: Sequence[Alert], now: int) -> dict[str, object]:
    """One message for all these alerts; receivers recognize a repeated one by its `id`."""
    firing = sum(alert.state is AlertState.FIRING for alert in alerts)
    return _body(f"{firing} firing, {len(alerts) - firing} resolved", alerts, now)


def trial_body(now: int) -> dict[str, object]:
    """A test message."""
    return _body("this is a test", [], now)


def _body(title: str, alerts: Sequence[Alert], now: int) -> dict[str, object]:
    return {
        "id": str(uuid.uuid4()),
        "at": iso(now),
        "title": f"Penstock: {title}",
        "alerts": [_fields(alert) for alert in alerts[:_MAX_NAMED]],
        "more": max(0, len(alerts) - _MAX_NAMED),
    }


def plain_text(body: Mapping[str, Any]) -> str:
    """A message as text, one line per alert."""
    lines = [f"{alert['state']}: {alert['message']}" for alert in body["alerts"]]
    if body["more"]:
        lines.append(f"… and {body['more']} more")
    return "\n".join(lines) or str(body["title"])


def _fields(alert: Alert) -> dict[str, object]:
    return {
        "rule": alert.rule,
        "subject": alert.subject,
        "state": alert.state,
        "message": alert.message,
        "since": iso(alert.since),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertTarget:
    """A target with its secrets in plain text: never show or log it."""

    id: int
    name: str
    kind: TargetKind
    url: str
    signing_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetRow:
    """A target without secrets: `shown` is the scheme and, unless it is secret, the host."""

    id: int
    name: str
    kind: TargetKind
    shown: str
    enabled: bool
    created_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A checked address in plain text; a webhook has a key that signs its messages."""

    kind: TargetKind
    url: str
    shown: str
    signing_key: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertMessage:
    """A message to send; `attempt` counts from 1."""

    id: int
    target: AlertTarget
    body: Mapping[str, object]
    attempt: int


class AlertBook(Protocol):
    """Stores states and messages."""

    async def evaluate(self) -> float:
        """Evaluate the rules if it is due and no other process does; gives the seconds to wait.

        States and messages commit in one transaction.
        """

    async def take(self) -> list[AlertMessage]:
        """Due messages, at most one per target; for a while no other process gets them."""

    async def sent(self, message: AlertMessage) -> None:
        """Record the delivery."""

    async def failed(self, message: AlertMessage, error: str) -> None:
        """Record the failure; the message is due again later, a limited number of times."""


class TargetStore(Protocol):
    """Stores targets. NotFoundError for an unknown target, ConflictError for a taken name."""

    async def add(self, name: str, address: Address) -> TargetRow:
        """Add an enabled target."""

    async def change(
        self,
        target_id: int,
        *,
        name: str | None = None,
        address: Address | None = None,
        enabled: bool | None = None,
    ) -> TargetRow:
        """Change the given fields."""

    async def remove(self, target_id: int) -> None:
        """Remove the target and its pending messages."""

    async def secrets_of(self, target_id: int) -> AlertTarget:
        """The target with its secrets, to send to it."""


class Notifier(Protocol):
    """Checks addresses and sends messages."""

    async def address(self, url: str, signing_key: str | None = None) -> Address:
        """A checked address; InvalidInputError says what is wrong with it.

        A webhook without a signing key gets a new one.
        """

    async def send(self, target: AlertTarget, body: Mapping[str, object]) -> str:
        """Send a message within a deadline; gives the answer in words, or raises PenstockError."""
