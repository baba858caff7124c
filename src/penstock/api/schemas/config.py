"""A config as the published API takes and shows it; also what a file of configs holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError

from penstock.api.schemas.name import Description, Name
from penstock.collection.configs import LONGEST_INTERVAL_MINUTES
from penstock.inventory.source import MARKETPLACE
from penstock.moment import iso, iso_or_none

if TYPE_CHECKING:
    from penstock.collection.configs import Applied, Config, Wanted

_MOST_CONFIGS = 1_000
_SYMBOL = f"BTC/USDT or BTCUSDT; with exchange {MARKETPLACE} the name of an account, whose inventory is synced"
_TIMEFRAMES = (
    f"1m, 5m, 1h …; those of the settings when not given; none with exchange {MARKETPLACE}"
)
_INTERVAL = f"minutes between two runs, at most {LONGEST_INTERVAL_MINUTES}; 5 when there is no cron expression either"
_CRON = "minute, hour, day, month and weekday, such as `30 2 * * 1-5`; in place of interval_minutes"


class _Fields(BaseModel):
    model_config = ConfigDict(extra="forbid")

    timeframes: list[Name] | None = Field(None, max_length=16, description=_TIMEFRAMES)
    interval_minutes: int | None = Field(
        None, ge=1, le=LONGEST_INTERVAL_MINUTES, strict=True, description=_INTERVAL
    )
    cron: Name | None = Field(None, description=_CRON)
    timezone: Name | None = Field(
        None,
        description="the IANA time zone of the cron expression, such as Europe/Berlin; UTC when not given",
    )
    enabled: bool | None = Field(
        None, description="whether it collects by itself; it does when not given"
    )
    description: Description | None = Field(None, description="for people")

    def given(self) -> dict[str, Any]:
        """The fields that were given."""
        return self.model_dump(exclude_unset=True)


class NewConfig(_Fields):
    """What to collect by itself, and when."""

    symbol: Name = Field(min_length=1, description=_SYMBOL)
    exchange: Name | None = Field(None, description="binance when not given")


class ConfigChange(_Fields):
    """The fields to change; those that are not given stay, and null is for interval_minutes, cron, timezone and description alone."""

    symbol: Name | None = Field(None, min_length=1, description=_SYMBOL)
    exchange: Name | None = None

    @field_validator("symbol", "exchange", "timeframes", "enabled")
    @classmethod
    def _not_null(cls, value: object) -> object:
        if value is None:
            message = "a config needs a value here; leave the field out to keep the one it has"
            raise PydanticCustomError("null", message)
        return value


class ConfigFile(BaseModel):
    """All configs that there are to be."""

    model_config = ConfigDict(extra="forbid")

    configs: list[NewConfig] = Field(max_length=_MOST_CONFIGS)


class ApplyConfigs(ConfigFile):
    """The same, and what to do with it."""

    prune: bool = Field(default=False, description="remove every config that is not named")
    dry_run: bool = Field(default=False, description="only tell what would change")


class WantedFields(BaseModel):
    """What a config says."""

    symbol: str
    exchange: str
    timeframes: list[str]
    interval_minutes: int | None
    cron: str | None
    timezone: str | None
    enabled: bool
    description: str | None


class ConfigFields(WantedFields):
    """A config; `job_id` is the job name of its runs and execution logs."""

    id: int
    job_id: str
    created_at: str
    updated_at: str
    next_run_at: str | None = Field(description="null while it is disabled")
    warnings: list[str] = Field(description="what is allowed and may not be meant")


class Preview(BaseModel):
    """The next runs of a config, as it is now or would be."""

    next_runs: list[str]
    warnings: list[str]


class Change(BaseModel):
    """A config that differs from what is wanted."""

    symbol: str
    exchange: str
    changes: dict[str, tuple[Any, Any]] = Field(description="field: its old and its new value")


class AppliedConfigs(BaseModel):
    """What was done, or with `dry_run` would be."""

    added: list[WantedFields]
    changed: list[Change]
    removed: list[WantedFields]
    unchanged: int
    dry_run: bool


def config_fields(config: Config) -> dict[str, Any]:
    """The fields of a config, JSON values only."""
    return wanted_fields(config.wanted) | {
        "id": config.id,
        "job_id": config.job_id,
        "created_at": iso(config.created_at),
        "updated_at": iso(config.updated_at),
        "next_run_at": iso_or_none(config.next_run_at),
        "warnings": config.wanted.warnings(),
    }


def wanted_fields(wanted: Wanted) -> dict[str, Any]:
    """What a config says, JSON values only."""
    return {
        name: list(value) if name == "timeframes" else value
        for name in WantedFields.model_fields
        for value in [getattr(wanted, name)]
    }


def preview_fields(wanted: Wanted, first: int | None = None) -> dict[str, Any]:
    """The next runs; `first` is the first of them when it is known."""
    return {"next_runs": [iso(at) for at in wanted.next_runs(first)], "warnings": wanted.warnings()}


def applied_fields(applied: Applied, *, dry_run: bool) -> dict[str, Any]:
    """What was done, JSON values only."""
    changed = [
        {"symbol": one.symbol, "exchange": one.exchange, "changes": dict(changes)}
        for one, changes in applied.changed
    ]
    return {
        "added": [wanted_fields(one) for one in applied.added],
        "changed": changed,
        "removed": [wanted_fields(one) for one in applied.removed],
        "unchanged": len(applied.unchanged),
        "dry_run": dry_run,
    }
