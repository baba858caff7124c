"""Configs: what is collected automatically, changed while the service runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, TypeAlias

from fastapi import APIRouter, Depends, Path
from pydantic import Field
from starlette.convertors import Convertor, register_url_convertor

from penstock.api.routes.parts import (
    ConfigsDep,
    DomainsDep,
    FromQuery,
    MarketDep,
    OverviewDep,
    SchedulerDep,
    StoreDep,
    TasksDep,
)
from penstock.api.schemas.config import (
    AppliedConfigs,
    ApplyConfigs,
    ConfigChange,
    ConfigShown,
    NewConfig,
    Preview,
)
from penstock.api.schemas.input import Input, Name
from penstock.api.schemas.problem import documented
from penstock.api.schemas.task import Submitted
from penstock.collection.configs import ConfigList, Configs
from penstock.store.write.configs import config_named
from penstock.store.write.configs import configs as listed_configs


class _ConfigName(Convertor[str]):
    """The name of a config in a path: symbols have a slash. What is done with it comes after it."""

    regex = r"(?:(?!/(?:preview|enable|disable|trigger)$).)+"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("config_name", _ConfigName())

router = APIRouter(prefix="/api/v1/admin/data-collection/configs", tags=["collection admin"])
# Not below `/configs`, where a name would be taken for an id.
of_none = APIRouter(prefix="/api/v1/admin/data-collection", tags=["collection admin"])

_MOST_SKIPPED = 1_000_000

Announcement: TypeAlias = Callable[[], Awaitable[None]]


async def _announcement(scheduler: SchedulerDep, overview: OverviewDep) -> Announcement:
    """Tells the scheduler and the overview of changed configs."""

    async def announce() -> None:
        scheduler.changed()
        await overview.caught_up()

    return announce


Announce = Annotated[Announcement, Depends(_announcement)]


async def _named(
    store: StoreDep,
    domains: DomainsDep,
    config: Annotated[
        Name, Path(description="BTC/USDT or BTCUSDT, the name of an account, or the config's id")
    ],
) -> int:
    """The id of the config that a path names."""
    found = await store.read(
        lambda connection: config_named(connection, config, domains.logged_name)
    )
    return found.id


ConfigId: TypeAlias = Annotated[int, Depends(_named)]


class ConfigQuery(Input):
    """Which configs."""

    enabled: bool | None = None
    exchange: Name | None = None
    q: Name | None = Field(
        None, min_length=1, description="a part of the symbol, of the account or of the description"
    )
    skip: int = Field(0, ge=0, le=_MOST_SKIPPED)
    limit: int = Field(100, ge=1, le=100)


@router.get("", responses=documented(422, 503))
async def list_configs(store: StoreDep, query: FromQuery[ConfigQuery]) -> list[ConfigShown]:
    """The configs, in order of their ids."""
    wanted = ConfigList(**query.model_dump())
    found = await store.read(lambda connection: listed_configs(connection, wanted))
    return [ConfigShown.of(config) for config in found]


@router.post("", status_code=201, responses=documented(409, 422, 502, 503))
async def add_config(
    configs: ConfigsDep, announce: Announce, market: MarketDep, store: StoreDep, new: NewConfig
) -> ConfigShown:
    """Add a config; it collects in its next turn, or now when it is triggered."""
    added = await configs.add(new.given())
    await announce()
    warnings = await store.read(lambda connection: market.automatic.warnings(connection, added))
    return ConfigShown.of(added, warnings)


@of_none.post("/preview", responses=documented(422, 502, 503))
async def preview_new_config(configs: ConfigsDep, new: NewConfig) -> Preview:
    """When a config that is not added yet would collect; nothing is changed."""
    return Preview.of(await configs.spec_of(new.given()))


@of_none.post("/apply", responses=documented(409, 422, 502, 503))
async def apply_configs(
    configs: ConfigsDep, announce: Announce, order: ApplyConfigs
) -> AppliedConfigs:
    """Make the configs what is given: all of them or, when one is wrong, none.

    A second time it changes nothing.
    """
    given = [config.given() for config in order.configs]
    applied = await configs.apply(given, prune=order.prune, dry_run=order.dry_run)
    await announce()
    return AppliedConfigs.of(applied, dry_run=order.dry_run)


@router.get("/{config:config_name}/preview", responses=documented(404, 422, 503))
async def preview_config(configs: ConfigsDep, config: ConfigId) -> Preview:
    """The next runs of a config; of a disabled one, as if it were enabled now."""
    found = await configs.store.get(config)
    return Preview.of(found.spec, found.next_run_at)


@router.get("/{config:config_name}", responses=documented(404, 422, 503))
async def get_config(configs: ConfigsDep, config: ConfigId) -> ConfigShown:
    """One config."""
    return ConfigShown.of(await configs.store.get(config))


@router.put("/{config:config_name}", responses=documented(404, 409, 422, 502, 503))
async def change_config(
    configs: ConfigsDep, announce: Announce, config: ConfigId, changes: ConfigChange
) -> ConfigShown:
    """Change the fields that are given.

    When it then collects something else or at other times, its active run is cancelled.
    """
    changed = await configs.change(config, changes.given())
    await announce()
    return ConfigShown.of(changed)


@router.delete("/{config:config_name}", status_code=204, responses=documented(404, 422, 503))
async def remove_config(configs: ConfigsDep, announce: Announce, config: ConfigId) -> None:
    """Delete a config and cancel its active run; collected rows and execution logs stay."""
    await configs.store.remove(config)
    await announce()


@router.post("/{config:config_name}/enable", responses=documented(404, 422, 503))
async def enable_config(configs: ConfigsDep, announce: Announce, config: ConfigId) -> ConfigShown:
    """Start automatic runs of a config."""
    return await _switched(configs, announce, config, enabled=True)


@router.post("/{config:config_name}/disable", responses=documented(404, 422, 503))
async def disable_config(configs: ConfigsDep, announce: Announce, config: ConfigId) -> ConfigShown:
    """Stop automatic runs of a config; its queued run is cancelled, a running one continues."""
    return await _switched(configs, announce, config, enabled=False)


@router.post(
    "/{config:config_name}/trigger", status_code=202, responses=documented(404, 409, 422, 503)
)
async def trigger_config(configs: ConfigsDep, tasks: TasksDep, config: ConfigId) -> Submitted:
    """Collect now, even when it is disabled; 409 while a task works on one of its series."""
    wanted = configs.store.trigger(config)
    return await tasks.submit(wanted, f"Data collection of config {config} submitted")


async def _switched(
    configs: Configs, announce: Announcement, config_id: int, *, enabled: bool
) -> ConfigShown:
    changed = await configs.store.change(config_id, {"enabled": enabled})
    await announce()
    return ConfigShown.of(changed)
