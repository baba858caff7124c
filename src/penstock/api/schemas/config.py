"""A config as the published API takes and shows it; also what a file of configs holds."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Self

from pydantic import Field, field_validator

from penstock.api.schemas.input import Description, Input, Name, not_null
from penstock.api.schemas.shape import Moment, Shape
from penstock.collection.configs import LONGEST_INTERVAL_MINUTES
from penstock.inventory.source import MARKETPLACE
from penstock.moment import iso

if TYPE_CHECKING:
    from collections.abc import Sequence

    from penstock.collection.configs import Applied, Config, ConfigSpec

_MOST_CONFIGS = 1_000
_SYMBOL = (
    f"BTC/USDT or BTCUSDT; with exchange {MARKETPLACE} the name of an account, "
    "whose inventory is synced"
)
_TIMEFRAMES = (
    f"1m, 5m, 1h …; those of the settings when not given; none with exchange {MARKETPLACE}"
)
_INTERVAL = (
    f"minutes between two runs, at most {LONGEST_INTERVAL_MINUTES}; "
    "5 when no cron expression is given either"
)
_CRON = "minute, hour, day, month and weekday, such as `30 2 * * 1-5`; instead of interval_minutes"
_TIMEZONE = "the IANA time zone of the cron expression, such as Europe/Berlin; UTC when not given"


class _Fields(Input):
    timeframes: list[Name] | None = Field(None, max_length=16, description=_TIMEFRAMES)
    interval_minutes: int | None = Field(
        None, ge=1, le=LONGEST_INTERVAL_MINUTES, strict=True, description=_INTERVAL
    )
    cron: Name | None = Field(None, description=_CRON)
    timezone: Name | None = Field(None, description=_TIMEZONE)
    enabled: bool | None = Field(None, description="whether it runs automatically; true by default")
    description: Description | None = Field(None, description="for people")

    def given(self) -> dict[str, Any]:
        """The fields that were given."""
        return self.model_dump(exclude_unset=True)


class NewConfig(_Fields):
    """What to collect automatically, and when."""

    symbol: Name = Field(min_length=1, description=_SYMBOL)
    exchange: Name | None = Field(None, description="binance when not given")


class ConfigChange(_Fields):
    """The fields to change; those that are not given stay as they are.

    Only interval_minutes, cron, timezone and description may be null.
    """

    symbol: Name | None = Field(None, min_length=1, description=_SYMBOL)
    exchange: Name | None = None

    _not_null = field_validator("symbol", "exchange", "timeframes", "enabled")(not_null("a config"))


class ConfigFile(Input):
    """All configs that there are to be."""

    configs: list[NewConfig] = Field(max_length=_MOST_CONFIGS)


class ApplyConfigs(ConfigFile):
    """The same, and what to do with it."""

    prune: bool = Field(default=False, description="remove every config that is not named")
    dry_run: bool = Field(default=False, description="only tell what would change")


class ConfigValues(Shape):
    """What a config says."""

    symbol: str
    exchange: str
    timeframes: list[str]
    interval_minutes: int | None
    cron: str | None
    timezone: str | None
    enabled: bool
    description: str | None

    @classmethod
    def of_wanted(cls, wanted: ConfigSpec) -> Self:
        """The shape of what is wanted."""
        return cls(**cls.fields_of(wanted))


class ConfigShown(ConfigValues):
    """A config; `job_id` is the job name of its runs and execution logs."""

    id: int
    job_id: str
    created_at: Moment
    updated_at: Moment
    next_run_at: Moment | None = Field(description="null while it is disabled")
    warnings: list[str] = Field(description="what is allowed but may not be intended")

    @classmethod
    def of(cls, config: Config, warnings: Sequence[str] = ()) -> Self:
        """The shape of a config; `warnings` come after its own."""
        told = [*config.spec.warnings(), *warnings]
        return cls(**cls.fields_of(config, **asdict(config.spec), warnings=told))


class Preview(Shape):
    """The next runs of a config, as it is now or would be."""

    next_runs: list[Moment]
    warnings: list[str]

    @classmethod
    def of(cls, wanted: ConfigSpec, first: int | None = None) -> Self:
        """The next runs; `first` is the first of them when it is known."""
        runs = [iso(at) for at in wanted.next_runs(first)]
        return cls(next_runs=runs, warnings=wanted.warnings())


class Change(Shape):
    """A config that differs from what is wanted."""

    symbol: str
    exchange: str
    changes: dict[str, tuple[Any, Any]] = Field(description="field: its old and its new value")


class AppliedConfigs(Shape):
    """What was done, or with `dry_run` would be."""

    added: list[ConfigValues]
    changed: list[Change]
    removed: list[ConfigValues]
    unchanged: int
    dry_run: bool

    @classmethod
    def of(cls, applied: Applied, *, dry_run: bool) -> Self:
        """The shape of what applying did."""
        return cls(
            added=[ConfigValues.of_wanted(wanted) for wanted in applied.added],
            changed=[
                Change(symbol=wanted.symbol, exchange=wanted.exchange, changes=dict(changes))
                for wanted, changes in applied.changed
            ],
            removed=[ConfigValues.of_wanted(wanted) for wanted in applied.removed],
            unchanged=len(applied.unchanged),
            dry_run=dry_run,
        )
