"""Alerts and their targets as the API, the WebSocket and the commands show them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from pydantic import Field

from penstock.alerts.book import AlertState, TargetKind
from penstock.api.schemas.shape import Moment, Shape

if TYPE_CHECKING:
    from penstock.alerts.book import Alert, TargetRow
    from penstock.alerts.rules import Measure
    from penstock.alerts.targets import SavedTarget


class AlertShown(Shape):
    """The state of a rule for a subject: a run, a series, a provider, or `all`."""

    rule: str
    subject: str
    state: AlertState
    message: str
    since: Moment
    seen_at: Moment = Field(description="when it last was not good")
    notified_at: Moment | None = Field(description="when it was last sent while firing")

    @classmethod
    def of(cls, alert: Alert) -> Self:
        """The shape of an alert."""
        return cls(**cls.fields_of(alert))


class RuleHealth(Shape):
    """A rule in numbers; `value` is null while there is too little to judge.

    A rule with subjects counts those that are bad.
    """

    rule: str
    value: float | None
    threshold: float
    ideal: float
    unit: str
    state: AlertState
    firing: int
    message: str

    @classmethod
    def of(cls, measure: Measure, state: AlertState, firing: int) -> Self:
        """The shape of a rule's present state."""
        value = None if measure.value is None else round(measure.value, 2)
        return cls(**cls.fields_of(measure, value=value, state=state, firing=firing))


class TargetShown(Shape):
    """A target without its secrets: its address is the scheme and, of a webhook, the host."""

    id: int
    name: str
    kind: TargetKind
    address: str
    enabled: bool
    created_at: Moment

    @classmethod
    def of(cls, target: TargetRow) -> Self:
        """The shape of a target."""
        return cls(**cls.fields_of(target, address=target.shown))


class TargetKept(TargetShown):
    """A target after a change; a new signing key is shown here and never again."""

    signing_key: str | None

    @classmethod
    def of_change(cls, kept: SavedTarget) -> Self:
        """The shape of a changed target."""
        return cls(**vars(TargetShown.of(kept.target)), signing_key=kept.signing_key)
