"""The settings, from the environment: `PENSTOCK_` and the name in capitals; also `DATABASE_URL`."""

from __future__ import annotations

import re
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal

import platformdirs
from pydantic import (
    AliasChoices,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    ValidationError,
    field_validator,
)
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from penstock.alerts.rules import AlertLimits
from penstock.errors import InvalidInputError
from penstock.name import not_utf8

# The value of PENSTOCK_SYMBOLS for no symbols.
_NONE = "none"
_OWN_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1", "[::]": "::1"}  # noqa: S104 - compared
_ADMIN_TOKEN_CHARS = 32
_SECRET = frozenset(
    {"admin_token", "token", "secret_key", "cardtrader_token", "database_url", "proxy"}
)


def _parts(value: str) -> tuple[str, ...]:
    """The values of a list with commas."""
    return tuple(part.strip() for part in value.split(",") if part.strip())


def _default_database() -> str:
    return f"sqlite:///{data_folder() / 'penstock.db'}"


def data_folder() -> Path:
    """The folder for this user's data."""
    return Path(platformdirs.user_data_dir("penstock", appauthor=False))


class ProviderSettings(BaseSettings):
    """The settings of any provider."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    url: str | None = None
    weight_per_minute: int | None = None


Percent = Annotated[float, Field(ge=0, le=100)]
# Of what a process has at once, or of attempts.
Count = Annotated[int, Field(ge=1, le=100)]


class Settings(BaseSettings):
    """The settings of one process, constant while it runs."""

    model_config = SettingsConfigDict(
        env_prefix="PENSTOCK_", frozen=True, extra="ignore", populate_by_name=True
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
    binance_url: str | None = Field(
        None, description="address used instead of Binance's, such as a simulator's"
    )
    binance_weight_per_minute: int | None = Field(
        None, ge=100, description="request weight that Binance allows; 80 % of it is used"
    )
    cardtrader_url: str | None = Field(
        None, description="address used instead of CardTrader's, such as a simulator's"
    )
    cardtrader_token: SecretStr | None = Field(
        None, min_length=1, description="CardTrader API token of the account to add"
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
        2_000,
        ge=1,
        le=1_000_000,
        description="largest export, unpacked, in megabytes",
    )
    export_folder: Path = Field(
        default_factory=lambda: data_folder() / "exports",
        description="folder for exports, kept as received until the sync ends",
    )
    shrink_percent: Percent = Field(
        10.0,
        description="a sync is held when more than this percentage of products is missing",
    )
    shrink_rows: NonNegativeInt = Field(
        3, description="number of products that may always be missing"
    )
    proxy: SecretStr | None = Field(
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
    request_longest_pause_s: NonNegativeFloat = Field(
        60.0,
        description="longest Retry-After that a run waits for; a longer one ends it",
    )
    grace_s: float = Field(
        3.0, ge=0, le=60, description="seconds after its close before a candle can be final"
    )
    heartbeat_s: PositiveFloat = Field(10.0, description="seconds between heartbeats of a run")
    dead_after_s: PositiveFloat = Field(
        30.0, description="age of the heartbeat from which a run counts as dead"
    )
    max_concurrent_tasks: Count = Field(5, description="concurrent runs of a worker")
    run_attempts: Count = Field(
        3,
        description="starts of a run that fails for transient reasons, including the first",
    )
    run_retry_s: PositiveFloat = Field(
        5.0, description="wait before the second start of a run, doubled each time"
    )
    run_deadline_s: PositiveFloat = Field(
        21_600.0, description="longest duration of one start of a run"
    )
    stuck_after_s: PositiveFloat = Field(
        1_800.0, description="a run without progress for this long is flagged as stuck"
    )
    collection_interval: int = Field(
        300,
        description="seconds between two runs of the default schedule",
    )
    symbol_refresh_interval: PositiveInt = Field(
        3_600, description="seconds between symbol refreshes"
    )
    check_interval: PositiveFloat = Field(
        60.0, description="longest sleep of the scheduler, seconds"
    )
    scheduler_delay_s: NonNegativeFloat = Field(
        60.0, description="delay of the scheduler's first look after the start"
    )
    task_cleanup_delay: NonNegativeFloat = Field(
        300.0, description="how long a finished task stays in the task lists, seconds"
    )
    execution_log_retention_days: int = Field(
        30, ge=1, le=36_500, description="how long the execution log keeps its rows, days"
    )
    symbols: Annotated[tuple[str, ...] | None, NoDecode] = Field(
        None,
        description="symbols of the default schedule, comma-separated, or none; "
        "default: top 50 in USDT",
    )
    timeframes: Annotated[tuple[str, ...], NoDecode] = Field(
        ("1m", "5m", "15m", "1h", "4h", "1d"),
        description="timeframes of the default schedule, comma-separated",
    )
    alert_interval_s: PositiveFloat = Field(
        60.0, description="seconds between two evaluations of the alert rules"
    )
    alert_delay_s: NonNegativeFloat = Field(
        180.0,
        description="delay of a process's first evaluation after its start",
    )
    alert_cooldown_s: NonNegativeFloat = Field(
        3_600.0, description="shortest time before the same alert is sent again"
    )
    alert_settle_s: NonNegativeFloat = Field(
        120.0, description="how long a rule must be good again before its alert is resolved"
    )
    alert_deadline_s: float = Field(
        10.0, gt=0, le=300, description="longest time to send one alert message"
    )
    alert_private_targets: bool = Field(
        default=False,
        description="allow alerts to private addresses and to this machine",
    )
    alert_min_executions: PositiveInt = Field(
        10,
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
    alert_average_duration_s: PositiveFloat = Field(
        10.0, description="alert above this average duration of a collection in 24 hours"
    )
    alert_records_fall: Percent = Field(
        20.0,
        description="alert when a day's records fall by more than this percentage",
    )
    alert_pause_s: NonNegativeFloat = Field(
        60.0, description="alert when a provider's pause is longer"
    )
    log_level: Literal["debug", "info", "warning"] | None = Field(
        None, description="lowest level of log lines: debug, info or warning"
    )
    host: str = Field("127.0.0.1", description="address that the service listens on")
    port: Annotated[int, Field(validation_alias=AliasChoices("PENSTOCK_PORT", "PORT"))] = Field(
        8000, ge=0, le=65_535, description="port that the service listens on"
    )
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="further host names of the service, comma-separated; * for any",
    )
    trusted_proxies: Annotated[
        tuple[str, ...],
        NoDecode,
        Field(validation_alias=AliasChoices("PENSTOCK_TRUSTED_PROXIES", "FORWARDED_ALLOW_IPS")),
    ] = Field(
        (),
        description="addresses or networks of proxies whose X-Forwarded-For is believed, "
        "comma-separated",
    )
    requests_per_minute: PositiveInt = Field(
        6_000,
        description="requests per minute of a token, or of an address without one",
    )
    admin_token: SecretStr | None = Field(
        None, description="token with the scope admin, for deployments; at least 32 characters"
    )
    token: SecretStr | None = Field(
        None, min_length=1, description="token that commands send to a service"
    )
    secret_key: SecretStr | None = Field(
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
        prefix = f"PENSTOCK_{name.upper()}_"
        return ProviderSettings(_env_prefix=prefix, **given)  # type: ignore[call-arg]

    @field_validator("admin_token")
    @classmethod
    def _hard_to_guess(cls, value: SecretStr | None) -> SecretStr | None:
        text = value.get_secret_value() if value is not None else None
        if text is not None and not (text.isascii() and len(text) >= _ADMIN_TOKEN_CHARS):
            problem = "admin_token"
            raise PydanticCustomError(
                problem,
                "it needs at least 32 ASCII characters; make one with `openssl rand -hex 32`",
            )
        return value

    @field_validator("proxy")
    @classmethod
    def _http_proxy(cls, value: SecretStr | None) -> SecretStr | None:
        if address := value and value.get_secret_value():
            from penstock.http.proxy import SETTING, parse_proxy  # noqa: PLC0415 - slow

            parse_proxy(address, SETTING)
        return value

    @field_validator("binance_url", "cardtrader_url")
    @classmethod
    def _http_address(cls, value: str | None) -> str | None:
        if value and not re.match(r"https?://[^/\s]", value):
            problem = "address"
            raise PydanticCustomError(problem, "write it like https://host")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for part in value:
            try:
                ip_network(part, strict=False)
            except ValueError:
                problem = "network"
                wrong = "write addresses or networks, such as 10.0.0.7 or 172.16.0.0/12"
                raise PydanticCustomError(problem, wrong) from None
        return value

    @field_validator("symbols", "timeframes", "allowed_hosts", "trusted_proxies", mode="before")
    @classmethod
    def _with_commas(cls, value: object) -> object:
        return _parts(value) if isinstance(value, str) else value

    # Before the one above, which takes the names apart.
    @field_validator("symbols", mode="before")
    @classmethod
    def _symbols_or_none(cls, value: object) -> object:
        """No symbols for `none`."""
        if not isinstance(value, str):
            return value
        names = [part.casefold() for part in _parts(value)]
        if names == [_NONE]:
            return ()
        if not names or _NONE in names:
            problem = "symbols"
            raise PydanticCustomError(
                problem, "name symbols, or only `none` for none; unset it for the 50 traded most"
            )
        return value

    @field_validator("collection_interval", mode="after")
    @classmethod
    def _at_least_a_second(cls, value: int) -> int:
        if value < 1:
            problem = "interval"
            raise PydanticCustomError(
                problem, "use 1 or more seconds; PENSTOCK_SYMBOLS=none stops the default schedule"
            )
        return value

    # The last validator runs first, and so sees the given value.
    @field_validator("*", mode="before")
    @classmethod
    def _text(cls, value: object) -> object:
        if isinstance(value, str) and (why := not_utf8(value)) is not None:
            problem = "not_utf8"
            raise PydanticCustomError(problem, why)
        return value

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

    InvalidInputError names the wrong one.
    """
    try:
        values = {name: value for name, value in given.items() if value is not None}
        return Settings(**values)  # type: ignore[arg-type]
    except ValidationError as error:
        fault = error.errors()[0]
        name = str(fault["loc"][0]).removeprefix("PENSTOCK_").lower()
        shown = "not shown" if name in _SECRET else repr(fault["input"])
        field = name if given.get(name) is not None else f"PENSTOCK_{name.upper()}"
        raise InvalidInputError(f"{field}: {fault['msg']}; it is {shown}", field=field) from None
