"""Checks configs: what is collected automatically besides the default schedule, and when."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Protocol

from penstock.errors import InvalidInputError
from penstock.runs.schedule import Timing, cron_timing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy import Connection

    from penstock.collection.domain import ConfigRules
    from penstock.runs.run import Submission

LONGEST_INTERVAL_MINUTES = 366 * 24 * 60
_GENTLE_MINUTES = 5
_MINUTE_S = 60
_NEXT_RUNS = 5
# Timeframes that differ by no more than this factor say nearly the same.
_NEAR = 2
_UNIT_MINUTES = {"s": 1 / 60, "m": 1, "h": 60, "d": 24 * 60, "w": 7 * 24 * 60, "M": 31 * 24 * 60}
_TIMING = ("interval_minutes", "cron", "timezone")
# A change of one of these cancels the config's active run, whose result is no longer wanted.
COLLECTED = ("symbol", "exchange", "timeframes", *_TIMING)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigSpec:
    """The content of a config: either `interval_minutes`, or `cron` with its `timezone`.

    The domain of the exchange defines the meaning of `symbol` and `timeframes`.
    """

    symbol: str
    exchange: str
    timeframes: tuple[str, ...]
    interval_minutes: int | None = None
    cron: str | None = None
    timezone: str | None = None
    enabled: bool = True
    description: str | None = None

    @property
    def timing(self) -> Timing:
        if self.interval_minutes is None:
            return Timing(cron=self.cron, timezone=self.timezone)
        return Timing(interval_s=self.interval_minutes * _MINUTE_S)

    @property
    def key(self) -> tuple[str, str]:
        """Unique among configs."""
        return self.exchange, self.symbol

    def warnings(self) -> list[str]:
        """What is allowed but probably not intended."""
        return [*self._too_often(), *_near(self.timeframes)]

    def _too_often(self) -> list[str]:
        if self.interval_minutes is not None:
            minutes = float(self.interval_minutes)
        else:
            times = self.next_runs()
            minutes = min((b - a for a, b in pairwise(times)), default=0) / 60_000
        if not 0 < minutes < _GENTLE_MINUTES:
            return []
        name = "cron" if self.interval_minutes is None else "interval_minutes"
        warning = (
            f"{name}: collecting every {minutes:g} min uses much of the exchange's request limit; "
            f"{_GENTLE_MINUTES} or more is gentler"
        )
        return [warning]

    def next_runs(self, first: int | None = None) -> list[int]:
        """The next times (ms) of collection; `first` is known once the config is stored."""
        return self.timing.following(
            self.timing.after(int(time.time() * 1000)) if first is None else first, _NEXT_RUNS
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A stored config. `next_run_at` is None while it is disabled."""

    id: int
    spec: ConfigSpec
    job_id: str
    created_at: int
    updated_at: int
    next_run_at: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigList:
    """A selection of configs, in order of their ids; `q` is a part of a symbol or a description."""

    limit: int
    skip: int = 0
    enabled: bool | None = None
    exchange: str | None = None
    q: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What applying a list of configs did, or would do.

    `changed` has the fields that differ by name, each with its old and new value.
    """

    added: Sequence[ConfigSpec]
    changed: Sequence[tuple[ConfigSpec, Mapping[str, tuple[object, object]]]]
    removed: Sequence[ConfigSpec]
    unchanged: Sequence[ConfigSpec]


class ConfigStore(Protocol):
    """Stores configs, each with its schedule.

    NotFoundError for an unknown id, ConflictError for a second config of a symbol.
    """

    async def get(self, config_id: int) -> Config:
        """One config."""

    async def add(self, spec: ConfigSpec) -> Config:
        """Add a config with a schedule for its first run."""

    async def change(self, config_id: int, changes: Mapping[str, Any]) -> Config:
        """Change fields of a ConfigSpec; cancels an active run that no longer fits."""

    async def remove(self, config_id: int) -> None:
        """Remove a config with its schedule, and cancel its active run."""

    def trigger(self, config_id: int) -> Callable[[Connection], Submission]:
        """The submission of a run, made in the submitting transaction from the config's state."""

    async def apply(self, specs: Sequence[ConfigSpec], *, prune: bool, dry_run: bool) -> Applied:
        """Add or change configs to match `specs`, in one transaction; `prune` removes others."""


@dataclass(frozen=True, slots=True)
class Configs:
    """Checks the fields that users give, then stores. InvalidInputError names the wrong field.

    `rules_of` gives the rules of an exchange; `exchange` is the default.
    """

    rules_of: Callable[[str], ConfigRules]
    store: ConfigStore
    exchange: str

    async def add(self, fields: Mapping[str, Any]) -> Config:
        """Add a config; `symbol` is required."""
        return await self.store.add(await self.spec_of(fields))

    async def spec_of(self, fields: Mapping[str, Any]) -> ConfigSpec:
        """The content of a new config of these fields."""
        [spec] = await self._specs([fields])
        return spec

    async def change(self, config_id: int, fields: Mapping[str, Any]) -> Config:
        """Change only the given fields."""
        now = (await self.store.get(config_id)).spec
        [then] = await self._resolved([self._changed(now, fields)])
        touched = set(fields)
        if touched & set(_TIMING):
            touched.update(_TIMING)
        if "exchange" in touched:
            touched.add("timeframes")
        return await self.store.change(config_id, {name: getattr(then, name) for name in touched})

    async def apply(
        self, all_fields: Sequence[Mapping[str, Any]], *, prune: bool = False, dry_run: bool = False
    ) -> Applied:
        """Add or change configs to match these fields; `prune` removes all others."""
        specs = await self._specs(all_fields)
        seen: set[tuple[str, str]] = set()
        for number, spec in enumerate(specs):
            if spec.key in seen:
                field = f"configs.{number}.symbol"
                raise InvalidInputError(
                    f"{field}: {spec.symbol} on {spec.exchange} appears twice; keep one",
                    field=field,
                )
            seen.add(spec.key)
        return await self.store.apply(specs, prune=prune, dry_run=dry_run)

    async def _specs(self, all_fields: Sequence[Mapping[str, Any]]) -> list[ConfigSpec]:
        blank = ConfigSpec(symbol="", exchange=self.exchange, timeframes=())
        drafts = []
        for fields in all_fields:
            given = {name: value for name, value in fields.items() if value is not None}
            if "cron" not in given:
                given.setdefault("interval_minutes", _GENTLE_MINUTES)
            drafts.append(self._changed(blank, {"timeframes": None, **given}))
        return await self._resolved(drafts)

    def _changed(self, now: ConfigSpec, fields: Mapping[str, Any]) -> ConfigSpec:
        """Apply these fields, checked as far as possible without the exchange."""
        timing = {name: fields[name] for name in _TIMING if name in fields}
        rest = {name: value for name, value in fields.items() if name not in _TIMING}
        then = replace(now, **rest)
        rules = self.rules_of(then.exchange)
        # Timeframes of another domain do not survive a change of the exchange.
        kept = now.timeframes if rules is self.rules_of(now.exchange) else None
        timeframes = rules.config_timeframes(fields.get("timeframes", kept))
        return _timed(replace(then, timeframes=timeframes), timing)

    async def _resolved(self, drafts: Sequence[ConfigSpec]) -> list[ConfigSpec]:
        """The drafts with unified symbols; InvalidInputError names the nearest known ones."""
        names: defaultdict[str, list[str]] = defaultdict(list)
        for draft in drafts:
            names[draft.exchange].append(draft.symbol)
        unified = {
            exchange: await self.rules_of(exchange).config_symbols(exchange, asked)
            for exchange, asked in names.items()
        }
        return [replace(draft, symbol=unified[draft.exchange][draft.symbol]) for draft in drafts]


def _timed(now: ConfigSpec, given: Mapping[str, Any]) -> ConfigSpec:
    interval, cron, timezone = (given.get(name) for name in _TIMING)
    if interval is not None and cron is not None:
        raise InvalidInputError("cron: give interval_minutes or cron, not both", field="cron")
    if interval is None and cron is None:
        interval, cron = now.interval_minutes, now.cron
        kept, other = ("interval_minutes", "cron") if cron is None else ("cron", "interval_minutes")
        if kept in given:
            raise InvalidInputError(f"{kept}: a config needs {kept} or {other}", field=kept)
    if cron is not None:
        timing = cron_timing(cron, timezone if "timezone" in given else now.timezone)
        return replace(now, interval_minutes=None, cron=timing.cron, timezone=timing.timezone)
    if timezone is not None:
        raise InvalidInputError("timezone: only applies to cron; leave it out", field="timezone")
    return replace(now, interval_minutes=interval, cron=None, timezone=None)


def _near(timeframes: Sequence[str]) -> list[str]:
    ordered = sorted(timeframes, key=_minutes)
    near = [f"{a} and {b}" for a, b in pairwise(ordered) if _minutes(b) <= _NEAR * _minutes(a)]
    return (
        [f"timeframes: {', '.join(near)} are nearly the same; one of them is usually enough"]
        if near
        else []
    )


def _minutes(timeframe: str) -> float:
    return int(timeframe[:-1]) * _UNIT_MINUTES[timeframe[-1]]


def difference(now: ConfigSpec, then: ConfigSpec) -> dict[str, tuple[object, object]]:
    """The fields that differ, each with its old and new value."""
    old, new = asdict(now), asdict(then)
    return {name: (old[name], new[name]) for name in old if old[name] != new[name]}
