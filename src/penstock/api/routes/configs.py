"""Configs: what is collected by itself, changed while the service runs."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from penstock.api.routes.tasks import Submitted, submit
from penstock.api.schemas.config import (
    AppliedConfigs,
    ApplyConfigs,
    ConfigChange,
    ConfigFields,
    NewConfig,
    Preview,
    applied_fields,
    config_fields,
    preview_fields,
)
from penstock.api.schemas.name import Name
from penstock.api.schemas.problem import documented
from penstock.api.state import CurrentState, State
from penstock.collection.configs import ConfigList
from penstock.store.write.configs import configs as listed_configs

router = APIRouter(prefix="/api/v1/admin/data-collection/configs", tags=["collection admin"])
# Not below `/configs`, where a name would be taken for an id.
of_none = APIRouter(prefix="/api/v1/admin/data-collection", tags=["collection admin"])

_MOST_SKIPPED = 1_000_000
_CREATED = 201
_ERRORS = documented(404, 409, 422, 502, 503)

ConfigId = Annotated[int, Path(ge=1, lt=2**31)]


class ConfigQuery(BaseModel):
    """Which configs."""

    model_config = ConfigDict(extra="forbid")

    enabled: bool | None = None
    exchange: Name | None = None
    skip: int = Field(0, ge=0, le=_MOST_SKIPPED)
    limit: int = Field(100, ge=1, le=100)


@router.get("", response_model=list[ConfigFields], responses=documented(422, 503))
async def configs(state: CurrentState, query: Annotated[ConfigQuery, Query()]) -> Response:
    """The configs, in order of their ids."""
    wanted = ConfigList(
        limit=query.limit, skip=query.skip, enabled=query.enabled, exchange=query.exchange
    )
    found = await state.app.database.read(lambda connection: listed_configs(connection, wanted))
    return _json([config_fields(one) for one in found])


@router.post(
    "", status_code=_CREATED, response_model=ConfigFields, responses=documented(409, 422, 502, 503)
)
async def add(state: CurrentState, new: NewConfig) -> Response:
    """Add a config; it collects in its next turn, or now when it is triggered."""
    return await _changed(state, config_fields(await state.app.configs.add(new.given())), _CREATED)


@of_none.post("/preview", response_model=Preview, responses=documented(422, 502, 503))
async def preview_new(state: CurrentState, new: NewConfig) -> Response:
    """When a config that is not added yet would collect; nothing is changed."""
    return _json(preview_fields(await state.app.configs.wanted(new.given())))


@of_none.post("/apply", response_model=AppliedConfigs, responses=documented(409, 422, 502, 503))
async def apply(state: CurrentState, order: ApplyConfigs) -> Response:
    """Make the configs be as they are given: all of them or, when one is wrong, none. A second time it changes nothing."""
    given = [one.given() for one in order.configs]
    applied = await state.app.configs.apply(given, prune=order.prune, dry_run=order.dry_run)
    return await _changed(state, applied_fields(applied, dry_run=order.dry_run))


@router.get("/{config_id}", response_model=ConfigFields, responses=documented(404, 422, 503))
async def config(state: CurrentState, config_id: ConfigId) -> Response:
    """One config."""
    return _json(config_fields(await state.app.configs.store.get(config_id)))


@router.get("/{config_id}/preview", response_model=Preview, responses=documented(404, 422, 503))
async def preview(state: CurrentState, config_id: ConfigId) -> Response:
    """The next runs of a config; of a disabled one, as if it were enabled now."""
    found = await state.app.configs.store.get(config_id)
    return _json(preview_fields(found.wanted, found.next_run_at))


@router.put("/{config_id}", response_model=ConfigFields, responses=_ERRORS)
async def change(state: CurrentState, config_id: ConfigId, changes: ConfigChange) -> Response:
    """Change the fields that are given; none change nothing. When it then collects something else or at other times, its active run is cancelled."""
    return await _changed(
        state, config_fields(await state.app.configs.change(config_id, changes.given()))
    )


@router.delete("/{config_id}", status_code=204, responses=documented(404, 422, 503))
async def remove(state: CurrentState, config_id: ConfigId) -> None:
    """Delete a config; its active run is cancelled, what it has written and its execution logs stay."""
    await state.app.configs.store.remove(config_id)
    await _tell(state)


@router.post(
    "/{config_id}/enable", response_model=ConfigFields, responses=documented(404, 422, 503)
)
async def enable(state: CurrentState, config_id: ConfigId) -> Response:
    """Let a config collect by itself."""
    return await _changed(
        state, config_fields(await state.app.configs.store.change(config_id, {"enabled": True}))
    )


@router.post(
    "/{config_id}/disable", response_model=ConfigFields, responses=documented(404, 422, 503)
)
async def disable(state: CurrentState, config_id: ConfigId) -> Response:
    """Stop a config from collecting by itself; a run of it that is running ends as it would, one that waits is cancelled."""
    return await _changed(
        state, config_fields(await state.app.configs.store.change(config_id, {"enabled": False}))
    )


@router.post("/{config_id}/trigger", status_code=202, responses=documented(404, 409, 422, 503))
async def trigger(state: CurrentState, config_id: ConfigId) -> Submitted:
    """Collect now, also when it is disabled; refused with 409 while a task is at one of its series."""
    wanted = state.app.configs.store.trigger(config_id)
    return await submit(state, wanted, f"Data collection of config {config_id} submitted")


async def _changed(state: State, body: dict[str, Any], status: int = 200) -> Response:
    await _tell(state)
    return _json(body, status)


async def _tell(state: State) -> None:
    state.app.scheduler.changed()
    await state.overview.caught_up()


def _json(body: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(body), status, media_type="application/json")
