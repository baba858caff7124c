"""The budget of a provider, shared by all processes on this database."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, select

from penstock.columns import DatabaseNow, in_ms
from penstock.http.governor import LONGEST_PAUSE_S, WINDOW_S, Grant, portion
from penstock.http.tables import provider_budget as budgets
from penstock.runs.events import ProviderPaused
from penstock.store.session.backend import announce
from penstock.store.statements.upsert import insert_or_ignore

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection, Row

    from penstock.store.session.database import Database


# The suffix of the budget for repeated questions about gaps.
_REPEATS = " (again)"


@dataclass(frozen=True, slots=True)
class BudgetUsed:
    """What all processes used of a provider in the running minute.

    `pause_s` is how long it asked us to wait; `repeats` are requests for known gaps.
    """

    provider: str
    used: int
    pause_s: float
    repeats: int = 0


def budgets_used(connection: Connection) -> list[BudgetUsed]:
    """The budgets of all providers."""
    rows = connection.execute(_ROWS).all()
    used = {row.provider: _used(row, _start(row.now, WINDOW_S)) for row in rows}
    return [
        BudgetUsed(
            row.provider,
            used[row.provider],
            _pause_s(row, row.now),
            used.get(_repeats_name(row.provider), 0),
        )
        for row in rows
        if not row.provider.endswith(_REPEATS)
    ]


class SqlRepeats:
    """The Repeats of a provider: `per_minute` for all processes, kept as a separate budget."""

    def __init__(
        self,
        database: Database,
        provider: str,
        *,
        per_minute: int,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._budget = SqlBudget(database, _repeats_name(provider), clock=clock)
        self._per_minute = per_minute

    async def take(self, wanted: int) -> int:
        """How many of the `wanted` requests may be sent now."""
        return await self._budget.take(wanted, self._per_minute)


def _repeats_name(provider: str) -> str:
    return provider + _REPEATS


class SqlBudget:
    """The Budget of `provider`, the address that requests go to.

    Windows and pauses go by the database's clock, which all processes share, unless `clock`
    (seconds) is given.
    """

    def __init__(
        self,
        database: Database,
        provider: str,
        *,
        window_s: int = WINDOW_S,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.generation = 0
        self.lifts = 0
        self.lifted = asyncio.Event()
        self.window_s = window_s
        self._database = database
        self._provider = provider
        self._clock = clock

    def lift(self) -> None:
        """Let those who wait ask again: a pause may have been lifted."""
        self.lifts += 1
        self.lifted.set()
        self.lifted.clear()

    async def reserve(self, least: int, limit: int) -> Grant:
        """Take from the limit, or say how long to wait."""

        def put(connection: Connection) -> Grant:
            row, now, window = self._locked(connection)
            if (wait_s := _pause_s(row, now)) > 0:
                return Grant(0, wait_s, wait_s)
            used = _used(row, window)
            taken = portion(used, least, limit)
            if taken or row.window_start > window:
                self._put(connection, used=used + taken, window_start=window)
            return Grant(taken, (window + self.window_s * 1000 - now) / 1000)

        return await self._database.write(put)

    async def take(self, wanted: int, limit: int) -> int:
        """Up to `wanted` of what is left of `limit`, without waiting."""

        def put(connection: Connection) -> int:
            row, _, window = self._locked(connection)
            used = _used(row, window)
            taken = max(0, min(wanted, limit - used))
            self._put(connection, used=used + taken, window_start=window)
            return taken

        return await self._database.write(put)

    async def observe(self, used: int) -> None:
        """Raise the amount used to what the provider reports."""

        def put(connection: Connection) -> None:
            row, _, window = self._locked(connection)
            self._put(connection, used=max(used, _used(row, window)), window_start=window)

        await self._database.write(put)

    async def pause(self, seconds: float) -> None:
        """Let no request through for some seconds."""

        def put(connection: Connection) -> None:
            row, now, _ = self._locked(connection)
            self._put(connection, paused_until=now + int(1000 * max(seconds, _pause_s(row, now))))
            announce(connection, ProviderPaused())

        await self._database.write(put)

    def _locked(self, connection: Connection) -> tuple[Row[Any], int, int]:
        """The provider's row, locked until the end of the transaction, the time and its window."""
        wanted = _ROWS.where(self._this).with_for_update()
        row = connection.execute(wanted).one_or_none()
        if row is None:
            connection.execute(
                insert_or_ignore(connection, budgets).values(
                    provider=self._provider, window_start=0, used=0, paused_until=0
                )
            )
            row = connection.execute(wanted).one()
        now = row.now if self._clock is None else int(self._clock() * 1000)
        return row, now, _start(now, self.window_s)

    def _put(self, connection: Connection, **values: int) -> None:
        connection.execute(budgets.update().where(self._this).values(**values))

    @property
    def _this(self) -> ColumnElement[bool]:
        return budgets.c.provider == self._provider


_ROWS = select(budgets, in_ms(DatabaseNow()).label("now"))


def _pause_s(row: Row[Any], now: int) -> float:
    """How long the provider still wants us to wait; a stored pause may be older than the bound."""
    left_s: float = (row.paused_until - now) / 1000
    return left_s if 0 < left_s <= LONGEST_PAUSE_S else 0.0


def _start(now: int, window_s: int) -> int:
    """The start of the running window, ms."""
    return now // (window_s * 1000) * window_s * 1000


def _used(row: Row[Any], window: int) -> int:
    """What was used in the window that starts then, also if the clock was set back since."""
    used: int = row.used
    return used if row.window_start >= window else 0
