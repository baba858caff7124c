"""The pauses that providers asked for, and how a user ends one early."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select, update

from penstock.columns import read_clock
from penstock.errors import InvalidInputError, NotFoundError
from penstock.http.governor import LONGEST_PAUSE_S
from penstock.http.tables import provider_budget as budgets
from penstock.runs.events import PauseLifted
from penstock.store.session.backend import broadcast
from penstock.store.write.runs.start import make_due

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from penstock.runs.dispatch import Dispatch
    from penstock.store.session.database import Database


@dataclass(frozen=True, slots=True)
class Pause:
    """Until when (ms) no request goes to a provider, and for how long from now."""

    provider: str
    until: int
    seconds_left: float


def pauses(connection: Connection) -> list[Pause]:
    """The pauses that are not over, by provider; one beyond all belief counts for nothing."""
    now = read_clock(connection)
    latest = now + LONGEST_PAUSE_S * 1000
    rows = connection.execute(select(budgets).order_by(budgets.c.provider)).all()
    return [
        Pause(row.provider, row.paused_until, (row.paused_until - now) / 1000)
        for row in rows
        if now < row.paused_until <= latest
    ]


@dataclass(frozen=True, slots=True)
class SqlPauses:
    """Ends pauses."""

    database: Database
    dispatch: Dispatch

    async def lift(self, given: str) -> tuple[Pause, int]:
        """End a pause in all processes; the runs that wait for its end are due now.

        `given` is the provider, or a part of its name that only one has. Gives the pause and the
        number of those runs. NotFoundError if it is not paused, InvalidInputError if several are.
        """

        def lift(connection: Connection) -> tuple[Pause, int]:
            pause = _meant(pauses(connection), given)
            of_provider = budgets.c.provider == pause.provider
            connection.execute(update(budgets).where(of_provider).values(paused_until=0))
            broadcast(connection, PauseLifted(pause.provider), f"lifted {pause.provider}")
            return pause, make_due(connection, self.dispatch, pause.until)

        return await self.database.write(lift)


def _meant(paused: list[Pause], given: str) -> Pause:
    found = [one for one in paused if one.provider == given]
    found = found or [one for one in paused if given in one.provider]
    names = ", ".join(repr(one.provider) for one in found or paused)
    if not found:
        hint = f"paused: {names}" if paused else "no provider is"
        raise NotFoundError(f"provider: {given!r} is not paused; {hint}")
    if len(found) > 1:
        raise InvalidInputError(
            f"provider: {given!r} can mean {names}; name one of them", field="provider"
        )
    return found[0]
