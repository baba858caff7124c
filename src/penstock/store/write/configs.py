"""Configs: each is kept with its schedule, and its active run is ended in the same transaction."""

from __future__ import annotations

import difflib
import shlex
import uuid
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import delete, func, insert, or_, select, update

from penstock.collection.configs import COLLECTED, Applied, Config, ConfigSpec, difference
from penstock.collection.tables import collection_config
from penstock.columns import DatabaseNow, contains, read_clock
from penstock.errors import ConflictError, InvalidInputError, NotFoundError
from penstock.runs.events import ConfigsChanged
from penstock.runs.run import RunState
from penstock.runs.schedule import Schedule
from penstock.runs.tables import run as runs
from penstock.runs.tables import schedule
from penstock.store.session.backend import broadcast, only_writer
from penstock.store.write.runs.claims import promote_all
from penstock.store.write.runs.end import end_job
from penstock.store.write.schedules import put_schedule

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from sqlalchemy import ColumnElement, Connection, Row, Select

    from penstock.collection.configs import ConfigList
    from penstock.collection.domain import ConfigRules
    from penstock.runs.dispatch import Dispatch
    from penstock.runs.run import Submission
    from penstock.store.session.database import Database

T = TypeVar("T")

_ACTIVE = (RunState.QUEUED, RunState.RUNNING)
_TIMING = frozenset({"interval_minutes", "cron", "timezone", "enabled"})


class SqlConfigs:
    """The configs of a database."""

    def __init__(
        self, database: Database, dispatch: Dispatch, rules_of: Callable[[str], ConfigRules]
    ) -> None:
        self._database = database
        self._dispatch = dispatch
        self._rules_of = rules_of

    async def get(self, config_id: int) -> Config:
        return await self._database.read(lambda connection: _get(connection, config_id))

    async def add(self, spec: ConfigSpec) -> Config:
        return await self._write(lambda connection: self._add(connection, spec))

    async def change(self, config_id: int, changes: Mapping[str, Any]) -> Config:
        def change(connection: Connection) -> Config:
            now = _get(connection, config_id, locked=True)
            self._change(connection, now, replace(now.spec, **changes))
            return _get(connection, config_id)

        return await self._write(change)

    async def remove(self, config_id: int) -> None:
        await self._write(
            lambda connection: self._remove(connection, _get(connection, config_id, locked=True))
        )

    def trigger(self, config_id: int) -> Callable[[Connection], Submission]:
        def submission(connection: Connection) -> Submission:
            config = _get(connection, config_id, locked=True)
            made = self._rules_of(config.spec.exchange).of_config(connection, _params(config.spec))
            return replace(made, job_name=config.job_id)

        return submission

    async def apply(self, specs: Sequence[ConfigSpec], *, prune: bool, dry_run: bool) -> Applied:
        def apply(connection: Connection) -> Applied:
            return self._apply(connection, specs, prune=prune, dry_run=dry_run)

        return await (self._database.read(apply) if dry_run else self._write(apply))

    async def _write(self, change: Callable[[Connection], T]) -> T:
        """One change after the other: each sees the configs that the one before has left."""

        def write(connection: Connection) -> T:
            only_writer(connection, collection_config)
            broadcast(connection, ConfigsChanged(), "configs")
            return change(connection)

        written = await self._database.write(write)
        # A run that was ended with its config may have been in the way of others.
        await promote_all(self._database, self._dispatch)
        return written

    def _add(self, connection: Connection, wanted: ConfigSpec) -> Config:
        self._rules_of(wanted.exchange).hold(connection, wanted.symbol)
        _refuse_second(connection, wanted)
        row = asdict(wanted) | {"created_at": DatabaseNow(), "updated_at": DatabaseNow()}
        # The name holds the id, which only the row itself gives.
        put = (
            insert(collection_config)
            .values(job_id=str(uuid.uuid4()), **row)
            .returning(collection_config.c.id)
        )
        config_id = connection.execute(put).scalar_one()
        job_id = f"collect_data_{config_id}"
        connection.execute(
            update(collection_config)
            .where(collection_config.c.id == config_id)
            .values(job_id=job_id)
        )
        next_run_at = wanted.timing.after(read_clock(connection))
        self._put_schedule(connection, job_id, wanted, next_run_at)
        return _get(connection, config_id)

    def _change(self, connection: Connection, now: Config, then: ConfigSpec) -> None:
        """The schedule before the run: a tick goes in this order too."""
        differs = difference(now.spec, then).keys()
        if not differs:
            return
        self._rules_of(then.exchange).hold(connection, then.symbol)
        _refuse_second(connection, then, but=now.id)
        row = asdict(then) | {"updated_at": DatabaseNow()}
        connection.execute(
            update(collection_config).where(collection_config.c.id == now.id).values(row)
        )
        next_run_at = then.timing.after(read_clock(connection)) if differs & _TIMING else None
        self._put_schedule(connection, now.job_id, then, next_run_at)
        if differs & set(COLLECTED):
            self._end_job(connection, now.job_id, "its config was changed")
        elif not then.enabled:
            self._end_job(connection, now.job_id, "its config was disabled", [RunState.QUEUED])

    def _apply(
        self, connection: Connection, wanted: Sequence[ConfigSpec], *, prune: bool, dry_run: bool
    ) -> Applied:
        kept = _rows().order_by(collection_config.c.id)
        present = {
            one.spec.key: one
            for one in map(
                _config,
                connection.execute(kept if dry_run else kept.with_for_update(of=collection_config)),
            )
        }
        added = [one for one in wanted if one.key not in present]
        known = [
            (present[one.key], one, difference(present[one.key].spec, one))
            for one in wanted
            if one.key in present
        ]
        keys = {one.key for one in wanted}
        removed = [one for one in present.values() if prune and one.spec.key not in keys]
        if not dry_run:
            for config in removed:
                self._remove(connection, config)
            for now, then, _ in known:
                self._change(connection, now, then)
            for one in added:
                self._add(connection, one)
        return Applied(
            added=added,
            changed=[(then, differs) for _, then, differs in known if differs],
            removed=[one.spec for one in removed],
            unchanged=[then for _, then, differs in known if not differs],
        )

    def _remove(self, connection: Connection, config: Config) -> None:
        connection.execute(delete(schedule).where(schedule.c.name == config.job_id))
        connection.execute(delete(collection_config).where(collection_config.c.id == config.id))
        self._end_job(connection, config.job_id, "its config was deleted")

    def _end_job(
        self,
        connection: Connection,
        job_id: str,
        why: str,
        states: Collection[RunState] = _ACTIVE,
    ) -> None:
        end_job(connection, self._dispatch, job_id, states=states, why=why)

    def _put_schedule(
        self, connection: Connection, job_id: str, wanted: ConfigSpec, next_run_at: int | None
    ) -> None:
        kind = self._rules_of(wanted.exchange).kind
        new = Schedule(name=job_id, kind=kind, params=_params(wanted), **asdict(wanted.timing))
        put_schedule(connection, new, enabled=wanted.enabled, next_run_at=next_run_at)


def configs(connection: Connection, query: ConfigList) -> list[Config]:
    """The configs of a list."""
    wanted = _rows().order_by(collection_config.c.id).offset(query.skip).limit(query.limit)
    if query.enabled is not None:
        wanted = wanted.where(collection_config.c.enabled == query.enabled)
    if query.exchange is not None:
        wanted = wanted.where(collection_config.c.exchange == query.exchange)
    if query.q is not None:
        wanted = wanted.where(_says(query.q))
    return [_config(row) for row in connection.execute(wanted)]


def _says(part: str) -> ColumnElement[bool]:
    """Whether a symbol, with or without its slash, or a description has a part, in any case."""
    symbol, description = collection_config.c.symbol, collection_config.c.description
    texts = symbol, func.replace(symbol, "/", ""), description
    return or_(*(contains(text, part) for text in texts))


def config_named(
    connection: Connection, given: str, unified: Callable[[Connection, str], str | None]
) -> Config:
    """The config with an id, or of a symbol or an account; `unified` knows other names of symbols.

    NotFoundError when there is none, InvalidInputError for a name that several have.
    """
    known = [_config(row) for row in connection.execute(_rows().order_by(collection_config.c.id))]
    names = {given, unified(connection, given)}
    found = [config for config in known if str(config.id) == given or config.spec.symbol in names]
    if len(found) > 1:
        choices = " or ".join(_choice(config, given) for config in found)
        raise InvalidInputError(
            f"config: {given!r} names several configs; use {choices}", field="config"
        )
    if not found:
        symbols = {config.spec.symbol for config in known}
        near = difflib.get_close_matches(given, symbols, n=3, cutoff=0.5)
        hint = f"did you mean {', '.join(near)}?" if near else "`penstock config list` shows all"
        raise NotFoundError(f"there is no config {given!r}; {hint}")
    return found[0]


def _choice(config: Config, given: str) -> str:
    """What names this config and no other one, with what it collects."""
    symbol, exchange = config.spec.symbol, config.spec.exchange
    name = symbol if str(config.id) == given else str(config.id)
    return f"{name} (config {config.id}, {symbol} on {exchange})"


def count_configs(connection: Connection) -> tuple[int, int, int]:
    """How many configs are enabled, how many disabled, and how many jobs have an active run."""
    enabled = func.count().filter(collection_config.c.enabled)
    on, total = connection.execute(
        select(enabled, func.count()).select_from(collection_config)
    ).one()
    active = select(func.count(func.distinct(runs.c.job_name))).where(runs.c.state.in_(_ACTIVE))
    return on, total - on, connection.execute(active).scalar_one()


def _rows() -> Select[Any]:
    scheduled = schedule.c.name == collection_config.c.job_id
    return select(collection_config, schedule.c.next_run_at).outerjoin_from(
        collection_config, schedule, scheduled
    )


def _get(connection: Connection, config_id: int, *, locked: bool = False) -> Config:
    wanted = _rows().where(collection_config.c.id == config_id)
    row = connection.execute(
        wanted.with_for_update(of=collection_config) if locked else wanted
    ).one_or_none()
    if row is None:
        raise NotFoundError(f"there is no config {config_id}; `penstock config list` shows all")
    return _config(row)


def _config(row: Row[Any]) -> Config:
    spec = ConfigSpec(
        symbol=row.symbol,
        exchange=row.exchange,
        timeframes=tuple(row.timeframes),
        interval_minutes=row.interval_minutes,
        cron=row.cron,
        timezone=row.timezone,
        enabled=row.enabled,
        description=row.description,
    )
    next_run_at = row.next_run_at if row.enabled else None
    return Config(
        id=row.id,
        spec=spec,
        job_id=row.job_id,
        created_at=row.created_at,
        updated_at=row.updated_at,
        next_run_at=next_run_at,
    )


def _refuse_second(connection: Connection, wanted: ConfigSpec, *, but: int = 0) -> None:
    this = (
        collection_config.c.exchange == wanted.exchange,
        collection_config.c.symbol == wanted.symbol,
        collection_config.c.id != but,
    )
    found = connection.scalar(select(collection_config.c.id).where(*this))
    if found is not None:
        raise ConflictError(
            f"{wanted.symbol} on {wanted.exchange} has config {found} already; change that one with"
            f" `penstock config edit {shlex.quote(wanted.symbol)}`"
        )


def _params(wanted: ConfigSpec) -> dict[str, object]:
    return {
        "exchange": wanted.exchange,
        "symbol": wanted.symbol,
        "timeframes": list(wanted.timeframes),
    }
