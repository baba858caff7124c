"""Alerts: their states, the numbers they come from, and the targets that they are sent to."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import Field

from penstock.api.routes.parts import FromQuery, HealthDep, StoreDep, TargetsDep
from penstock.api.schemas.alert import AlertShown, RuleHealth, TargetKept, TargetShown
from penstock.api.schemas.input import Id, Input, Limit, Name
from penstock.api.schemas.problem import documented
from penstock.api.schemas.shape import Shape
from penstock.store.write.alerts import lists

router = APIRouter(prefix="/api/v1/admin", tags=["alerts"])

TargetName = Annotated[
    Name, Field(min_length=1, description="what it is called in the list and in the log")
]
Url = Annotated[
    str,
    Field(
        min_length=1,
        max_length=2_000,
        description="a webhook such as https://example.org/path,"
        " or an Apprise URL like ntfy://topic",
    ),
]


class AlertQuery(Input):
    """Which alerts, a page at a time."""

    state: Literal["firing", "resolved"] | None = None
    skip: int = Field(default=0, ge=0, le=1_000_000)
    limit: Limit = 100


class AlertPage(Shape):
    """Alerts, firing ones first, then the resolved ones of the last week; newest changes first."""

    alerts: list[AlertShown]
    firing: dict[str, int] = Field(
        description="how many alerts of each rule fire, on this page or not"
    )


@router.get("/alerts", responses=documented(422, 503))
async def list_alerts(store: StoreDep, health: HealthDep, page: FromQuery[AlertQuery]) -> AlertPage:
    """The alerts that fire, and those that were resolved in the last week."""
    query = lists.AlertList(**page.model_dump())
    names = health.rules.names
    found, firing = await store.read(
        lambda connection: (
            lists.list_alerts(connection, query),
            lists.firing_counts(connection, names),
        )
    )
    return AlertPage(alerts=[AlertShown.of(alert) for alert in found], firing=firing)


class Health(Shape):
    """Every rule; `healthy`: no alert fires."""

    healthy: bool
    rules: list[RuleHealth]


@router.get("/data-collection/health", responses=documented(503))
async def get_collection_health(store: StoreDep, health: HealthDep) -> Health:
    """The numbers behind the alerts, as of now; the states are updated once a minute."""
    names = health.rules.names
    facts, firing, states = await store.read(
        lambda connection: (
            health.facts(connection),
            lists.firing_counts(connection, names),
            lists.rule_states(connection, names),
        )
    )
    rules = [
        RuleHealth.of(measure, states[measure.rule], firing[measure.rule])
        for measure in health.rules.measures(facts)
    ]
    return Health(healthy=not any(firing.values()), rules=rules)


class NewTarget(Input):
    """The target to add. A webhook's messages are signed with `signing_key`, or a new key."""

    name: TargetName
    url: Url
    signing_key: Annotated[str, Field(min_length=16, max_length=200)] | None = None


class TargetChange(Input):
    """What to change; a new address gets a new signing key."""

    name: TargetName | None = None
    url: Url | None = None
    enabled: bool | None = None


class TrialShown(Shape):
    """What came of a trial message."""

    delivered: bool
    detail: str


@router.get("/alerts/targets", responses=documented(503))
async def list_alert_targets(store: StoreDep) -> list[TargetShown]:
    """Where alerts are sent."""
    found = await store.read(lists.list_targets)
    return [TargetShown.of(target) for target in found]


@router.post("/alerts/targets", status_code=201, responses=documented(409, 422, 503))
async def add_alert_target(targets: TargetsDep, target: NewTarget) -> TargetKept:
    """Send alerts there too; a private address is refused unless the settings allow it."""
    kept = await targets.add(target.name, target.url, target.signing_key)
    return TargetKept.of_change(kept)


@router.put("/alerts/targets/{target_id}", responses=documented(404, 409, 422, 503))
async def change_alert_target(
    targets: TargetsDep, target_id: Id, change: TargetChange
) -> TargetKept:
    """Change the fields that are given."""
    kept = await targets.change(target_id, name=change.name, url=change.url, enabled=change.enabled)
    return TargetKept.of_change(kept)


@router.delete("/alerts/targets/{target_id}", status_code=204, responses=documented(404, 422, 503))
async def remove_alert_target(targets: TargetsDep, target_id: Id) -> None:
    """Send no more alerts there; messages that wait to be sent are dropped."""
    await targets.remove(target_id)


@router.post("/alerts/targets/{target_id}/test", responses=documented(404, 422, 503))
async def test_alert_target(targets: TargetsDep, target_id: Id) -> TrialShown:
    """Send a trial message now, and answer what came back."""
    return TrialShown(**asdict(await targets.try_out(target_id)))
