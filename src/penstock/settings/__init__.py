"""The settings, from the environment: `PENSTOCK_` and the name in capitals; also `DATABASE_URL`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import platformdirs
from pydantic import AliasChoices, Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from penstock.alerts.rules import AlertLimits
from penstock.errors import InvalidInputError
from penstock.name import not_utf8
from penstock.settings.fields import (
    AdminToken,
    CollectionInterval,
    Count,
    Delay,
    Host,
    Hosts,
    Interval,
    Networks,
    Number,
    Percent,
    ProviderAddress,
    ProxyAddress,
    Seconds,
    SecretKeys,
    Symbols,
    Timeframes,
    TokenText,
    wrong,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Container

S = TypeVar("S", bound=BaseSettings)

_OWN_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1", "[::]": "::1"}  # noqa: S104 - compared
# The values that no message shows; an address may hold a password.
_SECRET = re.compile(r"admin_token|token|secret_key|cardtrader_token|proxy|.*url")
_SHOWN_CHARS = 100
PREFIX = "PENSTOCK_"


def _default_database() -> str:
    return f"sqlite:///{data_folder() / 'penstock.db'}"


def data_folder() -> Path:
    """The folder for this user's data."""
    return Path(platformdirs.user_data_dir("penstock", appauthor=False))


class ProviderSettings(BaseSettings):
    """The settings of any provider."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    url: ProviderAddress | None = None
    weight_per_minute: int | None = Field(None, ge=1, lt=2**31)


class Settings(BaseSettings):
    """The settings of one process, constant while it runs."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        frozen=True,
        extra="ignore",
        populate_by_name=True,
        allow_inf_nan=False,
    )

    database_url: Annotated[
        str, Field(validation_alias=AliasChoices("PENSTOCK_DATABASE_URL", "DATABASE_URL"))
    ] = Field(
        default_factory=_default_database,
        description="sqlite:////path/to/file.db or postgresql://user:password@host/name",
    )
    database_pool_size: Count = Field(5, description="maximum database connections of a process")
    database_threads: Count = Field(5, description="threads for reading and writing")
    database_timeout_s: float = Field(
        10.0, gt=0, le=600, description="longest wait for a statement, a lock or a connection"
    )
    binance_url: ProviderAddress | None = Field(
        None, description="address used instead of Binance's, such as a simulator's"
    )
    binance_weight_per_minute: int | None = Field(
        None, ge=100, lt=2**31, description="request weight that Binance allows; 80 % of it is used"
    )
    cardtrader_url: ProviderAddress | None = Field(
        None, description="address used instead of CardTrader's, such as a simulator's"
    )
    cardtrader_token: TokenText | None = Field(
        None, description="CardTrader API token of the account to add"
    )
    export_first_byte_s: float = Field(
        180.0,
        gt=0,
        le=3_600,
        description="how long CardTrader may take to begin an export",
    )
    export_attempts: Count = Field(8, description="maximum attempts to begin an export")
    export_idle_s: float = Field(
        60.0, gt=0, le=3_600, description="longest silence in the middle of an export"
    )
    export_deadline_s: float = Field(
        1_800.0, gt=0, le=86_400, description="total time for an export to arrive"
    )
    export_megabytes: int = Field(
        2_000, ge=1, le=1_000_000, description="largest export, unpacked, in megabytes"
    )
    export_folder: Path = Field(
        default_factory=lambda: data_folder() / "exports",
        description="folder for exports, kept as received until the sync ends",
    )
    shrink_percent: Percent = Field(
        10.0,
        description="a sync is held when more than this percentage of products is missing",
    )
    shrink_rows: Number = Field(
        3, ge=0, description="number of products that may always be missing"
    )
    proxy: ProxyAddress | None = Field(
        None,
        description="HTTP proxy for all providers; default: HTTPS_PROXY, HTTP_PROXY or ALL_PROXY",
    )
    request_idle_s: float = Field(
        10.0, gt=0, le=600, description="longest silence while waiting for an answer"
    )
    request_deadline_s: float = Field(
        60.0, gt=0, le=3_600, description="total time for one attempt of a request"
    )
    request_attempts: int = Field(
        4, ge=1, le=20, description="attempts for one request, including the first"
    )
    request_concurrency: Count = Field(10, description="concurrent requests to one provider")
    request_longest_pause_s: Delay = Field(
        60.0,
        description="longest Retry-After that a run waits for; a longer one ends it",
    )
    grace_s: float = Field(
        3.0, ge=0, le=60, description="seconds after its close before a candle can be final"
    )
    heartbeat_s: Seconds = Field(10.0, description="seconds between heartbeats of a run")
    dead_after_s: Seconds = Field(
        30.0, description="age of the heartbeat from which a run counts as dead"
    )
    max_concurrent_tasks: Count = Field(5, description="concurrent runs of a worker")
    run_attempts: Count = Field(
        3,
        description="starts of a run that fails for transient reasons, including the first",
    )
    run_retry_s: Seconds = Field(
        5.0, description="wait before the second start of a run, doubled each time"
    )
    run_deadline_s: Seconds = Field(21_600.0, description="longest duration of one start of a run")
    stuck_after_s: Seconds = Field(
        1_800.0, description="a run without progress for this long is flagged as stuck"
    )
    collection_interval: CollectionInterval = Field(
        300,
        description="seconds between two runs of the default schedule",
    )
    symbol_refresh_interval: Interval = Field(3_600, description="seconds between symbol refreshes")
    check_interval: Seconds = Field(60.0, description="longest sleep of the scheduler, seconds")
    scheduler_delay_s: Delay = Field(
        60.0, description="delay of the scheduler's first look after the start"
    )
    task_cleanup_delay: Delay = Field(
        300.0, description="how long a finished task stays in the task lists, seconds"
    )
    execution_log_retention_days: int = Field(
        30, ge=1, le=36_500, description="how long the execution log keeps its rows, days"
    )
    symbols: Symbols = Field(
        None,
        description="symbols of the default schedule, comma-separated, or none; "
        "default: top 50 in USDT",
    )
    timeframes: Timeframes = Field(
        ("1m", "5m", "15m", "1h", "4h", "1d"),
        description="timeframes of the default schedule, comma-separated",
    )
    alert_interval_s: Seconds = Field(
        60.0, description="seconds between two evaluations of the alert rules"
    )
    alert_delay_s: Delay = Field(
        180.0,
        description="delay of a process's first evaluation after its start",
    )
    alert_cooldown_s: Delay = Field(
        3_600.0, description="shortest time before the same alert is sent again"
    )
    alert_settle_s: Delay = Field(
        120.0, description="how long a rule must be good again before its alert is resolved"
    )
    alert_deadline_s: float = Field(
        10.0, gt=0, le=300, description="longest time to send one alert message"
    )
    alert_private_targets: bool = Field(
        default=False,
        description="allow alerts to private addresses and to this machine",
    )
    alert_min_executions: Number = Field(
        10,
        ge=1,
        description="executions in 24 hours needed to judge rates and durations",
    )
    alert_success_rate: Percent = Field(
        90.0,
        description="alert below this percentage of successful executions in 24 hours",
    )
    alert_failed_rate: Percent = Field(
        10.0,
        description="alert above this percentage of failed executions in 24 hours",
    )
    alert_average_duration_s: Seconds = Field(
        10.0, description="alert above this average duration of a collection in 24 hours"
    )
    alert_records_fall: Percent = Field(
        20.0,
        description="alert when a day's records fall by more than this percentage",
    )
    alert_pause_s: Delay = Field(60.0, description="alert when a provider's pause is longer")
    log_level: Literal["debug", "info", "warning"] | None = Field(
        None, description="lowest level of log lines: debug, info or warning"
    )
    host: Host = Field("127.0.0.1", description="address that the service listens on")
    port: Annotated[int, Field(validation_alias=AliasChoices("PENSTOCK_PORT", "PORT"))] = Field(
        8000, ge=0, le=65_535, description="port that the service listens on"
    )
    allowed_hosts: Hosts = Field(
        (),
        description="further host names of the service, comma-separated; * for any",
    )
    trusted_proxies: Annotated[
        Networks,
        Field(validation_alias=AliasChoices("PENSTOCK_TRUSTED_PROXIES", "FORWARDED_ALLOW_IPS")),
    ] = Field(
        (),
        description="addresses or networks of proxies whose X-Forwarded-For is believed, "
        "comma-separated",
    )
    requests_per_minute: Number = Field(
        6_000,
        ge=1,
        description="requests per minute of a token, or of an address without one",
    )
    admin_token: AdminToken | None = Field(
        None, description="token with the scope admin, for deployments; at least 32 characters"
    )
    token: TokenText | None = Field(None, description="token that commands send to a service")
    secret_key: SecretKeys | None = Field(
        None,
        min_length=1,
        description="key of stored secrets; older keys for decryption may follow, comma-separated",
    )
    secret_key_file: Path | None = Field(None, description="file with the key of stored secrets")

    @property
    def url(self) -> str:
        """The URL of the service on this machine, on loopback if it listens on all addresses."""
        host = _OWN_ADDRESS.get(self.host, self.host).strip("[]")
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    def of_provider(self, name: str) -> ProviderSettings:
        """The settings of a provider.

        From its fields here, else from `PENSTOCK_<NAME>_URL` and
        `PENSTOCK_<NAME>_WEIGHT_PER_MINUTE`.
        """
        given = {
            field: value
            for field in ProviderSettings.model_fields
            if (value := getattr(self, f"{name}_{field}", None)) is not None
        }
        prefix = f"{PREFIX}{name.upper()}_"
        return _checked(
            lambda: ProviderSettings(_env_prefix=prefix, **given),  # type: ignore[call-arg]
            prefix,
        )

    @field_validator("*", mode="before")
    @classmethod
    def _text(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        if (why := not_utf8(value)) is not None:
            raise wrong(why)
        # Files of variables leave line breaks at the end.
        return value.strip()

    @property
    def alert_limits(self) -> AlertLimits:
        """The thresholds of the alert rules."""
        return AlertLimits(
            success_rate=self.alert_success_rate,
            average_duration_s=self.alert_average_duration_s,
            records_fall=self.alert_records_fall,
            failed_rate=self.alert_failed_rate,
            stuck_s=self.stuck_after_s,
            pause_s=self.alert_pause_s,
            executions=self.alert_min_executions,
        )


def load_settings(**given: object) -> Settings:
    """The settings of the environment, overridden by those `given` that are not None.

    InvalidInputError names a wrong one; its notes are the lines of the others.
    """
    values: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    return _checked(lambda: Settings(**values), PREFIX, values)


def _checked(make: Callable[[], S], prefix: str, given: Container[str] = ()) -> S:
    try:
        return make()
    except ValidationError as error:
        faults = error.errors()
    names = [str(fault["loc"][0]).removeprefix(prefix).lower() for fault in faults]
    fields = [name if name in given else f"{prefix}{name.upper()}" for name in names]
    lines = [
        f"{field}: {fault['msg']}; it is {_shown(name, fault['input'])}"
        for field, name, fault in zip(fields, names, faults, strict=True)
    ]
    refusal = InvalidInputError(lines[0], field=fields[0])
    for line in lines[1:]:
        refusal.add_note(line)
    raise refusal


def _shown(name: str, value: object) -> str:
    if _SECRET.fullmatch(name):
        return "not shown"
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}…"
