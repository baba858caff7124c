"""Every setting of Penstock, from the environment: `PENSTOCK_` and the name in capitals, `DATABASE_URL` is understood too."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import platformdirs
from pydantic import AliasChoices, Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from penstock.errors import InvalidInputError


def _default_database() -> str:
    return f"sqlite:///{data_folder() / 'penstock.db'}"


def data_folder() -> Path:
    """Where this user's programs keep their data."""
    return Path(platformdirs.user_data_dir("penstock", appauthor=False))


class Settings(BaseSettings):
    """The settings of one process; they do not change while it runs."""

    model_config = SettingsConfigDict(env_prefix="PENSTOCK_", frozen=True, extra="ignore", populate_by_name=True)

    database_url: Annotated[str, Field(validation_alias=AliasChoices("PENSTOCK_DATABASE_URL", "DATABASE_URL"))] = Field(
        default_factory=_default_database, description="sqlite:////path/to/file.db or postgresql://user:password@host/name"
    )
    database_pool_size: int = Field(5, ge=1, le=100, description="database connections of a process at the most")
    database_threads: int = Field(5, ge=1, le=100, description="threads for reading and writing")
    database_timeout_s: float = Field(10.0, gt=0, le=600, description="how long a statement, a lock or a connection is waited for")
    binance_url: str | None = Field(None, description="another address for Binance, such as a simulator's")
    binance_weight_per_minute: int | None = Field(None, ge=100, description="the request weight that Binance allows; 80 % of it are used")
    request_deadline_s: float = Field(10.0, gt=0, le=600, description="total time for one attempt of a request")
    request_attempts: int = Field(4, ge=1, le=20, description="attempts for one request, the first one included")
    request_concurrency: int = Field(10, ge=1, le=100, description="requests to one provider at the same time")
    request_longest_pause_s: float = Field(60.0, ge=0, description="the longest Retry-After that a run waits for; for a longer one it ends")
    grace_s: float = Field(3.0, ge=0, le=60, description="how long after its close a candle is taken for final")
    heartbeat_s: float = Field(10.0, gt=0, description="how often a running run says that it lives")
    dead_after_s: float = Field(30.0, gt=0, description="how old the heartbeat of a dead run is")
    max_concurrent_tasks: int = Field(5, ge=1, le=100, description="runs that a worker works on at the same time")
    run_attempts: int = Field(3, ge=1, le=100, description="starts of a run that fails for reasons that may pass, the first one included")
    run_retry_s: float = Field(5.0, gt=0, description="the wait before the second start of a run, doubled each time")
    run_deadline_s: float = Field(21_600.0, gt=0, description="how long one start of a run may take")
    stuck_after_s: float = Field(1_800.0, gt=0, description="a running run without progress for so long is flagged as stuck")
    collection_interval: int = Field(300, ge=1, description="seconds between scheduled collections of all configured symbols and timeframes")
    symbol_refresh_interval: int = Field(3_600, ge=1, description="seconds between symbol refreshes")
    check_interval: float = Field(60.0, gt=0, description="the longest sleep of the scheduler, seconds")
    scheduler_delay_s: float = Field(60.0, ge=0, description="how long after the start the scheduler looks for the first time")
    task_cleanup_delay: float = Field(300.0, ge=0, description="how long an ended task stays in the task lists, seconds")
    symbols: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="what is collected by itself, with commas; else the 50 USDT symbols traded most"
    )
    timeframes: Annotated[tuple[str, ...], NoDecode] = Field(
        ("1m", "5m", "15m", "1h", "4h", "1d"), description="the timeframes that are collected by themselves, with commas"
    )
    log_level: Literal["debug", "info", "warning"] | None = Field(None, description="which log lines are written: debug, info or warning")
    host: str = Field("127.0.0.1", description="the address that the service listens on")
    port: int = Field(8000, ge=0, le=65_535, description="the port that the service listens on")

    @field_validator("symbols", "timeframes", mode="before")
    @classmethod
    def _with_commas(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def load_settings(**given: object) -> Settings:
    """The settings from the environment, with what was `given` on top (None: not given); InvalidInputError names the setting that is wrong."""
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        fault = error.errors()[0]
        name = str(fault["loc"][0]).removeprefix("PENSTOCK_").lower()
        message = f"{name}: {fault['msg']} (PENSTOCK_{name.upper()} is {fault['input']!r})"
        raise InvalidInputError(message, field=name) from None
