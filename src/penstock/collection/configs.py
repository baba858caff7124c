"""Configs: what is collected by itself besides the default schedule, and when. What a user asks for is checked here; `penstock.store` keeps it."""

from __future__ import annotations

import time
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
# Of two timeframes that differ by no more than this, the longer one says little that the shorter does not.
_NEAR = 2
_UNIT_MINUTES = {"s": 1 / 60, "m": 1, "h": 60, "d": 24 * 60, "w": 7 * 24 * 60, "M": 31 * 24 * 60}
_TIMING = ("interval_minutes", "cron", "timezone")
# A change of one of these ends the run that goes on: it collects what is not wanted any more, or when it is not.
COLLECTED = ("symbol", "exchange", "timeframes", *_TIMING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a config says. It has either `interval_minutes` or a `cron` expression with its `timezone`.

    What `symbol` and `timeframes` are is up to the domain of the exchange.
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
        """When it collects."""
        if self.interval_minutes is None:
            return Timing(cron=self.cron, timezone=self.timezone)
        return Timing(interval_s=self.interval_minutes * _MINUTE_S)

    @property
    def key(self) -> tuple[str, str]:
        """There is one config for each exchange and symbol."""
        return self.exchange, self.symbol

    def warnings(self) -> list[str]:
        """What is allowed and may not be meant."""
        return [*self._often(), *_near(self.timeframes)]

    def _often(self) -> list[str]:
        if self.interval_minutes is not None:
            minutes = float(self.interval_minutes)
        else:
            times = self.next_runs()
            minutes = min((b - a for a, b in pairwise(times)), default=0) / 60_000
        if not 0 < minutes < _GENTLE_MINUTES:
            return []
        name = "cron" if self.interval_minutes is None else "interval_minutes"
        return [
            f"{name}: collecting every {minutes:g} min uses much of the exchange's request limit; {_GENTLE_MINUTES} or more is gentler"
        ]

    def next_runs(self, first: int | None = None) -> list[int]:
        """When it collects next; `first` is known once it is kept."""
        return self.timing.following(
            self.timing.after(int(time.time() * 1000)) if first is None else first, _NEXT_RUNS
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A config as it is kept. `next_run_at` is None while it is disabled."""

    id: int
    wanted: Wanted
    job_id: str
    created_at: int
    updated_at: int
    next_run_at: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigList:
    """Which configs, in order of their ids."""

    limit: int
    skip: int = 0
    enabled: bool | None = None
    exchange: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What applying a list of configs did, or would do. `changed` has, for each, the names of its fields with the old and the new value."""

    added: Sequence[Wanted] = ()
    changed: Sequence[tuple[Wanted, Mapping[str, tuple[object, object]]]] = ()
    removed: Sequence[Wanted] = ()
    unchanged: Sequence[Wanted] = ()


class ConfigStore(Protocol):
    """Where configs are kept, each with its schedule. NotFoundError for an id that is not there, ConflictError for a second one of a symbol."""

    async def get(self, config_id: int) -> Config:
        """One config."""

    async def add(self, wanted: Wanted) -> Config:
        """A new config; its first run comes in its next turn."""

    async def change(self, config_id: int, changes: Mapping[str, Any]) -> Config:
        """Change fields of `Wanted`; what its active run then does wrong is cancelled in the same transaction."""

    async def remove(self, config_id: int) -> None:
        """Remove it with its schedule; its active run ends cancelled."""

    def trigger(self, config_id: int) -> Callable[[Connection], Submission]:
        """What makes a run of it, in the transaction that submits that, so that it is of the config as it is then."""

    async def apply(self, wanted: Sequence[Wanted], *, prune: bool, dry_run: bool) -> Applied:
        """Make these configs exist as they are wanted, all in one transaction; with `prune` all others are removed."""


@dataclass(frozen=True, slots=True)
class Configs:
    """Configs as users change them: fields by name, checked before anything is changed. InvalidInputError names the field that is wrong.

    `rules_of` gives the rules of an exchange; `exchange` is meant when none is named.
    """

    rules_of: Callable[[str], ConfigRules]
    store: ConfigStore
    exchange: str

    async def add(self, fields: Mapping[str, Any]) -> Config:
        """A new config of its fields; `symbol` has to be among them."""
        return await self.store.add(await self.wanted(fields))

    async def wanted(self, fields: Mapping[str, Any]) -> Wanted:
        """What a new config would say."""
        (one,) = await self._all_wanted([fields])
        return one

    async def change(self, config_id: int, fields: Mapping[str, Any]) -> Config:
        """Change only the fields that are given; none at all changes nothing."""
        now = (await self.store.get(config_id)).wanted
        then = await self._resolved([self._changed(now, fields)])
        touched = {
            *fields,
            *(_TIMING if set(_TIMING) & set(fields) else ()),
            *(["timeframes"] if "exchange" in fields else ()),
        }
        return await self.store.change(
            config_id, {name: getattr(then[0], name) for name in touched}
        )

    async def apply(
        self, all_fields: Sequence[Mapping[str, Any]], *, prune: bool = False, dry_run: bool = False
    ) -> Applied:
        """Make configs of these fields exist and say nothing else; see ConfigStore.apply."""
        wanted = await self._all_wanted(all_fields)
        seen: set[tuple[str, str]] = set()
        for number, one in enumerate(wanted):
            if one.key in seen:
                message = f"configs.{number}.symbol: {one.symbol} on {one.exchange} is there twice; name each once"
                raise InvalidInputError(message, field=f"configs.{number}.symbol")
            seen.add(one.key)
        return await self.store.apply(wanted, prune=prune, dry_run=dry_run)

    async def _all_wanted(self, all_fields: Sequence[Mapping[str, Any]]) -> list[Wanted]:
        drafts = []
        for fields in all_fields:
            timing = (
                {}
                if fields.get("cron") is not None or fields.get("interval_minutes") is not None
                else {"interval_minutes": _GENTLE_MINUTES}
            )
            blank = Wanted(symbol="", exchange=self.exchange, timeframes=())
            given = {name: value for name, value in fields.items() if value is not None}
            drafts.append(self._changed(blank, {"timeframes": None, **timing, **given}))
        return await self._resolved(drafts)

    def _changed(self, now: Wanted, fields: Mapping[str, Any]) -> Wanted:
        """With these fields, checked as far as that goes without the exchange."""
        then = replace(
            now, **{name: value for name, value in fields.items() if name not in _TIMING}
        )
        rules = self.rules_of(then.exchange)
        # Those of another domain are none here, so they do not stay when the exchange is changed.
        kept = now.timeframes if rules is self.rules_of(now.exchange) else None
        then = replace(then, timeframes=rules.config_timeframes(fields.get("timeframes", kept)))
        return _timed(then, {name: fields[name] for name in _TIMING if name in fields})

    async def _resolved(self, drafts: Sequence[Wanted]) -> list[Wanted]:
        """With unified symbols; InvalidInputError for one that its exchange does not have, naming the nearest."""
        names: dict[str, list[str]] = {}
        for draft in drafts:
            names.setdefault(draft.exchange, []).append(draft.symbol)
        unified: dict[tuple[str, str], str] = {}
        for exchange, asked in names.items():
            symbols = await self.rules_of(exchange).config_symbols(exchange, asked)
            unified |= {(exchange, name): symbols[name] for name in asked}
        return [replace(draft, symbol=unified[draft.exchange, draft.symbol]) for draft in drafts]


def _timed(now: Wanted, given: Mapping[str, Any]) -> Wanted:
    interval, cron, timezone = (given.get(name) for name in _TIMING)
    if interval is not None and cron is not None:
        raise InvalidInputError("cron: give interval_minutes or cron, not both", field="cron")
    if interval is not None:
        then = replace(now, interval_minutes=interval, cron=None, timezone=None)
    elif cron is not None:
        then = replace(now, interval_minutes=None, cron=cron, timezone=now.timezone)
    elif "interval_minutes" in given and now.cron is None:
        raise InvalidInputError(
            "interval_minutes: a config needs one, or a cron expression in its place",
            field="interval_minutes",
        )
    elif "cron" in given and now.cron is not None:
        raise InvalidInputError(
            "cron: a config needs one, or interval_minutes in its place", field="cron"
        )
    else:
        then = now
    return _zoned(then, given, timezone)


def _zoned(then: Wanted, given: Mapping[str, Any], timezone: str | None) -> Wanted:
    if then.cron is None:
        if timezone is not None:
            raise InvalidInputError(
                "timezone: only a cron expression has one; leave it out", field="timezone"
            )
        return then
    timing = cron_timing(then.cron, timezone if "timezone" in given else then.timezone)
    return replace(then, cron=timing.cron, timezone=timing.timezone)


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


def difference(now: Wanted, then: Wanted) -> dict[str, tuple[object, object]]:
    """The fields that differ, each with its old and its new value."""
    old, new = asdict(now), asdict(then)
    return {name: (old[name], new[name]) for name in old if old[name] != new[name]}
