"""Alerts: a rule's state for a subject, when somebody is told of it, and the ports of those who keep the states and send the messages."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from penstock.alerts.rules import Level
from penstock.moment import iso

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from penstock.alerts.rules import Finding

# In one message: with everything late, who reads it wants to know that, and not each name.
_MOST_NAMED = 50


class AlertState(StrEnum):
    """`ok` is never stored: it is what a rule is for a subject that it never fired for."""

    OK = "ok"
    FIRING = "firing"
    RESOLVED = "resolved"


class TargetKind(StrEnum):
    """How a target is reached."""

    WEBHOOK = "webhook"
    APPRISE = "apprise"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """A rule's state for a subject. Times are ms.

    `since`: when the state began; `seen_at`: when it was last not good; `notified_at`: when somebody was last told that it fires.
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
    """`cooldown_ms` before the same alert is sent again; it has to be good for `settle_ms` before it is resolved.

    `recovered` gives what is said of a rule's subject that is good again. `heard`: there is somebody to tell.
    """

    cooldown_ms: int
    settle_ms: int
    recovered: Callable[[str, str], str]
    heard: bool = True


@dataclass(frozen=True, slots=True)
class Step:
    """An alert as it is after a look, and whether that is to be told."""

    alert: Alert
    tell: bool


def advance(before: Alert | None, finding: Finding | None, now: int, policy: Policy) -> Step | None:
    """What a look makes of an alert; None when there is nothing to change. No finding means that the subject is good."""
    if finding is not None and finding.level is Level.BAD:
        return _fire(before, finding, now, policy)
    if before is None or before.state is not AlertState.FIRING:
        return None
    if finding is not None and finding.level is Level.BETWEEN:
        return Step(replace(before, seen_at=now), tell=False)
    return (
        _resolve(before, finding, now, policy) if now - before.seen_at >= policy.settle_ms else None
    )


def _fire(before: Alert | None, finding: Finding, now: int, policy: Policy) -> Step:
    firing = before is not None and before.state is AlertState.FIRING
    told_at = before.notified_at if before else None
    tell = policy.heard and (told_at is None or now - told_at >= policy.cooldown_ms)
    alert = Alert(
        rule=finding.rule,
        subject=finding.subject,
        state=AlertState.FIRING,
        message=finding.message,
        since=before.since if before and firing else now,
        seen_at=now,
        notified_at=now if tell else told_at,
    )
    return Step(alert, tell)


def _resolve(before: Alert, finding: Finding | None, now: int, policy: Policy) -> Step:
    """Who was not told that it fires is not told that it is over."""
    message = finding.message if finding else policy.recovered(before.rule, before.subject)
    told = before.notified_at is not None and before.notified_at >= before.since
    return Step(replace(before, state=AlertState.RESOLVED, message=message, since=now), told)


def message_body(told: Sequence[Alert], now: int) -> dict[str, object]:
    """One message for all that is to be told at once; the same `id` is the same message, however often it arrives."""
    firing = sum(one.state is AlertState.FIRING for one in told)
    return {
        "id": str(uuid.uuid4()),
        "at": iso(now),
        "title": f"Penstock: {firing} firing, {len(told) - firing} resolved",
        "alerts": [_told(one) for one in told[:_MOST_NAMED]],
        "more": max(0, len(told) - _MOST_NAMED),
    }


def trial_body(now: int) -> dict[str, object]:
    """The message that says that messages arrive."""
    return {
        "id": str(uuid.uuid4()),
        "at": iso(now),
        "title": "Penstock: this is a test",
        "alerts": [],
        "more": 0,
    }


def plain_text(body: Mapping[str, object]) -> str:
    """A message for people: a line for each alert."""
    alerts = body["alerts"]
    lines = (
        [f"{one['state']}: {one['message']}" for one in alerts] if isinstance(alerts, list) else []
    )
    if body["more"]:
        lines.append(f"… and {body['more']} more")
    return "\n".join(lines) or str(body["title"])


def _told(alert: Alert) -> dict[str, object]:
    return {
        "rule": alert.rule,
        "subject": alert.subject,
        "state": alert.state,
        "message": alert.message,
        "since": iso(alert.since),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where alerts are sent, with its secrets in the clear: never shown, never logged."""

    id: int
    name: str
    kind: TargetKind
    url: str
    signing_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetRow:
    """A target as it may be shown: `shown` is the scheme and, where that is not secret, the host."""

    id: int
    name: str
    kind: TargetKind
    shown: str
    enabled: bool
    created_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A checked address, in the clear; a webhook has a key that signs its messages."""

    kind: TargetKind
    url: str
    shown: str
    signing_key: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A message in the hands of a sender; `attempt` counts from 1."""

    id: int
    target: Target
    body: Mapping[str, object]
    attempt: int


class AlertBook(Protocol):
    """Where states and messages are kept."""

    async def evaluate(self) -> float:
        """Look if it is time and nobody else does, and write states and messages in one transaction; gives the seconds until the next look."""

    async def take(self) -> list[Outgoing]:
        """Messages that are due, one for each target at the most; nobody else gets them for a while."""

    async def sent(self, message: Outgoing) -> None:
        """It has arrived."""

    async def failed(self, message: Outgoing, error: str) -> None:
        """It has not; it comes again later, a limited number of times."""


class TargetStore(Protocol):
    """Where targets are kept. Each call about one that is not there raises NotFoundError; a name that another one has is a ConflictError."""

    async def add(self, name: str, address: Address) -> TargetRow:
        """A new target, enabled."""

    async def change(
        self,
        target_id: int,
        *,
        name: str | None = None,
        address: Address | None = None,
        enabled: bool | None = None,
    ) -> TargetRow:
        """Change what is given."""

    async def remove(self, target_id: int) -> None:
        """Gone, with the messages that wait for it."""

    async def in_the_clear(self, target_id: int) -> Target:
        """With its secrets, for who sends."""


class Notifier(Protocol):
    """Sends."""

    async def address(self, url: str, signing_key: str | None = None) -> Address:
        """A checked address, with a key for a webhook, made here if none is given; InvalidInputError says what is wrong with it."""

    async def send(self, target: Target, body: Mapping[str, object]) -> str:
        """Send a message now, within a deadline; gives what came back, in words. PenstockError says why it did not arrive."""
