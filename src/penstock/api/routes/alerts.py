"""Alerts: their states, the numbers they come from, and the targets that they are sent to."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from penstock.alerts.book import AlertState, TargetKind
from penstock.api.schemas.alert import AlertShown, alert_fields, target_fields
from penstock.api.schemas.name import Name
from penstock.api.schemas.problem import documented
from penstock.api.state import CurrentState
from penstock.store.write.alerts.lists import (
    AlertList,
    firing_counts,
    list_alerts,
    list_targets,
    rule_states,
)

if TYPE_CHECKING:
    from penstock.alerts.rules import Measure
    from penstock.alerts.targets import Kept

router = APIRouter(prefix="/api/v1/admin", tags=["alerts"])

TargetId = Annotated[int, Path(ge=1, lt=2**31)]
TargetName = Annotated[
    Name, Field(min_length=1, description="what it is called in the list and in the log")
]
Url = Annotated[
    str,
    Field(
        min_length=1,
        max_length=2_000,
        description="a webhook such as https://example.org/path, or an Apprise URL such as ntfy://topic",
    ),
]


class AlertQuery(BaseModel):
    """Which alerts, a page at a time."""

    model_config = ConfigDict(extra="forbid")

    state: Literal["firing", "resolved"] | None = None
    skip: int = Field(default=0, ge=0, le=1_000_000)
    limit: int = Field(default=100, ge=1, le=1_000)


class AlertPage(BaseModel):
    """Alerts, firing ones first, each kind with the newest change first; resolved ones are kept for a week."""

    alerts: list[AlertShown]
    firing: dict[str, int] = Field(
        description="how many alerts of each rule fire, on this page or not"
    )


@router.get("/alerts", responses=documented(422, 503))
async def alerts(state: CurrentState, page: Annotated[AlertQuery, Query()]) -> AlertPage:
    """What fires, and what was resolved in the last week."""
    query = AlertList(
        limit=page.limit,
        skip=page.skip,
        state=None if page.state is None else AlertState(page.state),
    )
    names = state.app.health.rules.names
    found, firing = await state.app.database.read(
        lambda connection: (list_alerts(connection, query), firing_counts(connection, names))
    )
    return AlertPage(alerts=[AlertShown(**alert_fields(one)) for one in found], firing=firing)


class RuleHealth(BaseModel):
    """A rule in numbers; `value` is null while there is too little to judge, and counts what is bad where a rule has subjects."""

    rule: str
    value: float | None
    threshold: float
    ideal: float
    unit: str
    state: AlertState
    firing: int
    message: str


class Health(BaseModel):
    """Every rule; `healthy`: no alert fires."""

    healthy: bool
    rules: list[RuleHealth]


@router.get("/data-collection/health", responses=documented(503))
async def health(state: CurrentState) -> Health:
    """The numbers that alerts come from, as of now; the states are those of the last look, once a minute."""
    app = state.app
    names = app.health.rules.names
    facts, firing, states = await app.database.read(
        lambda connection: (
            app.health.facts(connection),
            firing_counts(connection, names),
            rule_states(connection, names),
        )
    )
    rules = [
        _rule(one, states[one.rule], firing[one.rule]) for one in app.health.rules.measures(facts)
    ]
    return Health(healthy=not any(firing.values()), rules=rules)


def _rule(measure: Measure, state: AlertState, firing: int) -> RuleHealth:
    value = None if measure.value is None else round(measure.value, 2)
    shown = {
        name: getattr(measure, name) for name in ("rule", "threshold", "ideal", "unit", "message")
    }
    return RuleHealth(**shown, value=value, state=state, firing=firing)


class NewTarget(BaseModel):
    """The target to make. A webhook's messages are signed with `signing_key`, or with one that is made here."""

    model_config = ConfigDict(extra="forbid")

    name: TargetName
    url: Url
    signing_key: Annotated[str, Field(min_length=16, max_length=200)] | None = None


class TargetChange(BaseModel):
    """What to change; another address is signed with a new key."""

    model_config = ConfigDict(extra="forbid")

    name: TargetName | None = None
    url: Url | None = None
    enabled: bool | None = None


class TargetShown(BaseModel):
    """A target without its secrets: of the address only the scheme and, of a webhook, the host."""

    id: int
    name: str
    kind: TargetKind
    address: str
    enabled: bool
    created_at: str


class TargetKept(TargetShown):
    """A target after a change; a new signing key is shown here for the only time."""

    signing_key: str | None


class TrialShown(BaseModel):
    """What came of a trial message."""

    delivered: bool
    detail: str


@router.get("/alerts/targets", responses=documented(503))
async def targets(state: CurrentState) -> list[TargetShown]:
    """Where alerts are sent."""
    return [
        TargetShown(**target_fields(one)) for one in await state.app.database.read(list_targets)
    ]


@router.post("/alerts/targets", status_code=201, responses=documented(409, 422, 503))
async def add_target(state: CurrentState, wanted: NewTarget) -> TargetKept:
    """Send alerts there too; the address has to be one of the public internet unless the settings allow others."""
    return _kept(await state.app.alert_targets.add(wanted.name, wanted.url, wanted.signing_key))


@router.put("/alerts/targets/{target_id}", responses=documented(404, 409, 422, 503))
async def change_target(
    state: CurrentState, target_id: TargetId, wanted: TargetChange
) -> TargetKept:
    """Change what is given."""
    return _kept(
        await state.app.alert_targets.change(
            target_id, name=wanted.name, url=wanted.url, enabled=wanted.enabled
        )
    )


@router.delete("/alerts/targets/{target_id}", status_code=204, responses=documented(404, 422, 503))
async def remove_target(state: CurrentState, target_id: TargetId) -> None:
    """Send nothing there any more, also nothing that waits to be sent."""
    await state.app.alert_targets.remove(target_id)


@router.post("/alerts/targets/{target_id}/test", responses=documented(404, 422, 503))
async def try_target(state: CurrentState, target_id: TargetId) -> TrialShown:
    """Send a trial message now, and say what came back."""
    return TrialShown(**asdict(await state.app.alert_targets.try_out(target_id)))


def _kept(kept: Kept) -> TargetKept:
    return TargetKept(**target_fields(kept.target), signing_key=kept.signing_key)
