"""Alerts and their targets as the API, the WebSocket and the commands show them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field

from penstock.alerts.book import AlertState
from penstock.moment import iso, iso_or_none

if TYPE_CHECKING:
    from penstock.alerts.book import Alert, TargetRow


class AlertShown(BaseModel):
    """The state of a rule for a subject: a run, a series, a provider, or `all`."""

    rule: str
    subject: str
    state: AlertState
    message: str
    since: str
    seen_at: str = Field(description="when it was last not good")
    notified_at: str | None = Field(description="when somebody was last told that it fires")


def alert_fields(alert: Alert) -> dict[str, Any]:
    """The fields of an AlertShown, JSON values only."""
    return {
        "rule": alert.rule,
        "subject": alert.subject,
        "state": alert.state.value,
        "message": alert.message,
        "since": iso(alert.since),
        "seen_at": iso(alert.seen_at),
        "notified_at": iso_or_none(alert.notified_at),
    }


def target_fields(target: TargetRow) -> dict[str, Any]:
    """A target as it is shown."""
    return {
        "id": target.id,
        "name": target.name,
        "kind": target.kind,
        "address": target.shown,
        "enabled": target.enabled,
        "created_at": iso(target.created_at),
    }
