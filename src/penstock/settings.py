"""Every setting of Penstock, from the environment: `PENSTOCK_` and the name in capitals, `DATABASE_URL` is understood too."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

import platformdirs
from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from penstock.alerts.rules import Limits
from penstock.errors import InvalidInputError
from penstock.name import not_utf8

_OWN_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1", "[::]": "::1"}  # noqa: S104 - compared with, not listened on
_ADMIN_TOKEN_SIGNS = 32
_SECRET = frozenset(
    {"admin_token", "token", "secret_key", "cardtrader_token", "database_url", "proxy"}
)


def _default_database() -> str:
    return f"sqlite:///{data_folder() / 'penstock.db'}"


def data_folder() -> Path:
    """Where this user's programs keep their data."""
    return Path(platformdirs.user_data_dir("penstock", appauthor=False))


class ProviderSettings(BaseSettings):
    """What can be set of any provider."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    url: str | None = None
    weight_per_minute: int | None = None


class Settings(BaseSettings):
    """The settings of one process; they do not change while it runs."""

    model_config = SettingsConfigDict(
        env_prefix="PENSTOCK_", frozen=True, extra="ignore", populate_by_name=True
    )

    database_url: Annotated[
        str, Field(validation_alias=AliasChoices("PENSTOCK_DATABASE_URL", "DATABASE_URL"))
    ] = Field(
        default_factory=_default_database,
        description="sqlite:////path/to/file.db or postgresql://user:password@host/name",
    )
    database_pool_size: int = Field(
        5, ge=1, le=100, description="database connections of a process at the most"
    )
    database_threads: int = Field(5, ge=1, le=100, description="threads for reading and writing")
    database_timeout_s: float = Field(
        10.0, gt=0, le=600, description="how long a statement, a lock or a connection is waited for"
    )
    binance_url: str | None = Field(
        None, description="another address for Binance, such as a simulator's"
    )
    binance_weight_per_minute: int | None = Field(
        None, ge=100, description="the request weight that Binance allows; 80 % of it are used"
    )
    cardtrader_url: str | None = Field(
        None, description="another address for CardTrader, such as a simulator's"
    )
    cardtrader_token: SecretStr | None = Field(
        None, min_length=1, description="the CardTrader API token of the account that is added"
    )
    export_first_byte_s: float = Field(
        180.0,
        gt=0,
        le=3_600,
        description="how long CardTrader may take until an export begins to come",
    )
    export_attempts: int = Field(
        8, ge=1, le=100, description="how often an export is asked for until it begins to come"
    )
    export_idle_s: float = Field(
        60.0, gt=0, le=3_600, description="how long nothing may come in the middle of an export"
    )
    export_deadline_s: float = Field(
        1_800.0, gt=0, le=86_400, description="total time for an export to come"
    )
    export_folder: Path = Field(
        default_factory=lambda: data_folder() / "exports",
        description="where an export is kept, as it came, until its sync has ended",
    )
    shrink_percent: float = Field(
        10.0,
        ge=0,
        le=100,
        description="an export that lacks a larger percentage of the published products is held",
    )
    shrink_rows: int = Field(3, ge=0, description="so many products may be missing in any case")
    proxy: SecretStr | None = Field(
        None,
        description="an HTTP proxy on the way to all providers, such as http://user:password@host:3128; else those of the environment",
    )
    request_idle_s: float = Field(
        10.0, gt=0, le=600, description="how long nothing may come in answer to a request"
    )
    request_deadline_s: float = Field(
        60.0, gt=0, le=3_600, description="total time for one attempt of a request"
    )
    request_attempts: int = Field(
        4, ge=1, le=20, description="attempts for one request, the first one included"
    )
    request_concurrency: int = Field(
        10, ge=1, le=100, description="requests to one provider at the same time"
    )
    request_longest_pause_s: float = Field(
        60.0,
        ge=0,
        description="the longest Retry-After that a run waits for; for a longer one it ends",
    )
    grace_s: float = Field(
        3.0, ge=0, le=60, description="how long after its close a candle is taken for final"
    )
    heartbeat_s: float = Field(10.0, gt=0, description="how often a running run says that it lives")
    dead_after_s: float = Field(30.0, gt=0, description="how old the heartbeat of a dead run is")
    max_concurrent_tasks: int = Field(
        5, ge=1, le=100, description="runs that a worker works on at the same time"
    )
    run_attempts: int = Field(
        3,
        ge=1,
        le=100,
        description="starts of a run that fails for reasons that may pass, the first one included",
    )
    run_retry_s: float = Field(
        5.0, gt=0, description="the wait before the second start of a run, doubled each time"
    )
    run_deadline_s: float = Field(
        21_600.0, gt=0, description="how long one start of a run may take"
    )
    stuck_after_s: float = Field(
        1_800.0, gt=0, description="a running run without progress for so long is flagged as stuck"
    )
    collection_interval: int = Field(
        300,
        ge=1,
        description="seconds between scheduled collections of all configured symbols and timeframes",
    )
    symbol_refresh_interval: int = Field(
        3_600, ge=1, description="seconds between symbol refreshes"
    )
    check_interval: float = Field(
        60.0, gt=0, description="the longest sleep of the scheduler, seconds"
    )
    scheduler_delay_s: float = Field(
        60.0, ge=0, description="how long after the start the scheduler looks for the first time"
    )
    task_cleanup_delay: float = Field(
        300.0, ge=0, description="how long an ended task stays in the task lists, seconds"
    )
    execution_log_retention_days: int = Field(
        30, ge=1, le=36_500, description="how long rows stay in the execution log, days"
    )
    symbols: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="what is collected by itself, with commas; else the 50 USDT symbols traded most",
    )
    timeframes: Annotated[tuple[str, ...], NoDecode] = Field(
        ("1m", "5m", "15m", "1h", "4h", "1d"),
        description="the timeframes that are collected by themselves, with commas",
    )
    alert_interval_s: float = Field(
        60.0, gt=0, description="how often the alert rules are looked at, by one of all processes"
    )
    alert_delay_s: float = Field(
        180.0,
        ge=0,
        description="how long after its start a process looks at them for the first time",
    )
    alert_cooldown_s: float = Field(
        3_600.0, ge=0, description="how long before the same alert is sent again"
    )
    alert_settle_s: float = Field(
        120.0, ge=0, description="how long an alert has to be good again before it is resolved"
    )
    alert_deadline_s: float = Field(
        10.0, gt=0, le=300, description="how long the sending of one alert message may take"
    )
    alert_private_targets: bool = Field(
        default=False,
        description="whether alerts may be sent to private addresses and to this machine",
    )
    alert_min_executions: int = Field(
        10,
        ge=1,
        description="fewer executions in 24 hours are not judged by their rates and durations",
    )
    alert_success_rate: float = Field(
        90.0,
        ge=0,
        le=100,
        description="alert when less per cent of the executions of 24 hours succeeded",
    )
    alert_failed_rate: float = Field(
        10.0,
        ge=0,
        le=100,
        description="alert when more per cent of the executions of 24 hours failed",
    )
    alert_average_duration_s: float = Field(
        10.0, gt=0, description="alert when a collection took longer on average in 24 hours"
    )
    alert_records_fall: float = Field(
        20.0,
        ge=0,
        le=100,
        description="alert when yesterday's records of candles and symbols are by more per cent fewer than the day before's",
    )
    alert_pause_s: float = Field(
        60.0, ge=0, description="alert when a provider wants no request for longer"
    )
    log_level: Literal["debug", "info", "warning"] | None = Field(
        None, description="which log lines are written: debug, info or warning"
    )
    host: str = Field("127.0.0.1", description="the address that the service listens on")
    port: Annotated[int, Field(validation_alias=AliasChoices("PENSTOCK_PORT", "PORT"))] = Field(
        8000, ge=0, le=65_535, description="the port that the service listens on"
    )
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="the names under which others reach the service, with commas; * for any. This machine's own always work",
    )
    requests_per_minute: int = Field(
        6_000,
        ge=1,
        description="requests of one token, or of one address without a token; more are answered 429",
    )
    admin_token: SecretStr | None = Field(
        None, description="a token with the scope admin, for deployments: 32 characters or more"
    )
    token: SecretStr | None = Field(
        None, min_length=1, description="the token that commands send to a service"
    )
    secret_key: SecretStr | None = Field(
        None,
        min_length=1,
        description="the key of stored secrets; after a comma older keys, which open what they sealed",
    )
    secret_key_file: Path | None = Field(None, description="a file that holds it instead")

    @property
    def url(self) -> str:
        """Where this machine reaches the service: one that listens on all addresses is also on the first of its own."""
        host = _OWN_ADDRESS.get(self.host, self.host).strip("[]")
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    def of_provider(self, name: str) -> ProviderSettings:
        """What is set of a provider: by its own fields here, else `PENSTOCK_<NAME>_URL` and `PENSTOCK_<NAME>_WEIGHT_PER_MINUTE`."""
        given = {
            field: value
            for field in ProviderSettings.model_fields
            if (value := getattr(self, f"{name}_{field}", None)) is not None
        }
        return ProviderSettings(_env_prefix=f"PENSTOCK_{name.upper()}_", **given)  # type: ignore[call-arg] # pydantic-settings takes it

    @field_validator("admin_token")
    @classmethod
    def _hard_to_guess(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not (
            value.get_secret_value().isascii()
            and len(value.get_secret_value()) >= _ADMIN_TOKEN_SIGNS
        ):
            problem, message = (
                "admin_token",
                "it needs 32 ASCII characters or more, such as `openssl rand -hex 32` prints",
            )
            raise PydanticCustomError(problem, message)
        return value

    @field_validator("proxy")
    @classmethod
    def _http_proxy(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and value.get_secret_value():
            from penstock.http.proxy import SETTING, parse_proxy  # noqa: PLC0415 - with the HTTP client, which most commands do without

            parse_proxy(value.get_secret_value(), SETTING)
        return value

    @field_validator("binance_url", "cardtrader_url")
    @classmethod
    def _http_address(cls, value: str | None) -> str | None:
        if value and not re.match(r"https?://[^/\s]", value):
            problem = "address"
            raise PydanticCustomError(problem, "write it like https://host")
        return value

    @field_validator("symbols", "timeframes", "allowed_hosts", mode="before")
    @classmethod
    def _with_commas(cls, value: object) -> object:
        return (
            tuple(part.strip() for part in value.split(",") if part.strip())
            if isinstance(value, str)
            else value
        )

    # The last one runs first, and so sees what was given.
    @field_validator("*", mode="before")
    @classmethod
    def _text(cls, value: object) -> object:
        if isinstance(value, str) and (why := not_utf8(value)) is not None:
            problem = "not_utf8"
            raise PydanticCustomError(problem, why)
        return value

    @property
    def alert_limits(self) -> Limits:
        """The thresholds of the alert rules."""
        return Limits(
            success_rate=self.alert_success_rate,
            average_duration_s=self.alert_average_duration_s,
            records_fall=self.alert_records_fall,
            failed_rate=self.alert_failed_rate,
            stuck_s=self.stuck_after_s,
            pause_s=self.alert_pause_s,
            executions=self.alert_min_executions,
        )


def load_settings(**given: object) -> Settings:
    """The settings of the environment, with those `given` on top (None is not given).

    InvalidInputError names the wrong one.
    """
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        fault = error.errors()[0]
        name = str(fault["loc"][0]).removeprefix("PENSTOCK_").lower()
        shown = "not shown" if name in _SECRET else repr(fault["input"])
        field = name if given.get(name) is not None else f"PENSTOCK_{name.upper()}"
        raise InvalidInputError(f"{field}: {fault['msg']}; it is {shown}", field=field) from None
