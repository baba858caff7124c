"""Configs of inventories: the exchange is the marketplace, the symbol the name of an account.

There are no timeframes.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from penstock.errors import InvalidInputError
from penstock.inventory.queries.accounts import account_ids, lock_account
from penstock.inventory.snapshot import INVENTORY_SYNC
from penstock.inventory.source import MARKETPLACE
from penstock.inventory.sync.runs import submission_of
from penstock.runs.run import Priority

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

    from penstock.collection.domain import Busy
    from penstock.collection.reader import Reader
    from penstock.runs.run import Submission
    from penstock.runs.schedule import Schedule

_MOST_NAMED = 5


class SyncConfigs:
    """The ConfigRules of the marketplace, and the runs of due schedules."""

    kind = INVENTORY_SYNC
    exchanges = (MARKETPLACE,)

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def config_symbols(self, _exchange: str, names: Sequence[str]) -> dict[str, str]:
        """The names of the accounts."""
        known = await self._reader.read(account_ids)
        return {name: find_account(name, known) for name in names}

    def config_timeframes(self, given: Sequence[str] | None) -> tuple[str, ...]:
        """None: an inventory has no timeframes."""
        if given:
            raise InvalidInputError(
                "timeframes: an inventory has none, it is synced whole; leave them out",
                field="timeframes",
            )
        return ()

    def hold(self, connection: Connection, symbol: str) -> None:
        """Lock the account that a config names."""
        lock_account(connection, symbol)

    def of_config(self, connection: Connection, params: Mapping[str, object]) -> Submission:
        """The sync of a config."""
        return _submission(connection, params, Priority.HIGH)

    def scheduled(
        self, connection: Connection, schedule: Schedule, busy: Busy
    ) -> Submission | None:
        """The sync of a due schedule; None while another one of the account is `busy`."""
        submission = _submission(connection, schedule.params, Priority.LOW)
        return None if busy(submission.resources) else submission


def _submission(
    connection: Connection, params: Mapping[str, object], priority: Priority
) -> Submission:
    known = account_ids(connection)
    name = find_account(str(params["symbol"]), known)
    return submission_of(known[name], name, priority=priority)


def find_account(asked: str, known: Mapping[str, int]) -> str:
    """The stripped name of a known account; InvalidInputError names the nearest ones."""
    name = asked.strip()
    if name in known:
        return name
    if not known:
        hint = "there are none yet; add one with `penstock accounts add`"
    else:
        by_case = {name.casefold(): name for name in known}
        close = difflib.get_close_matches(name.casefold(), by_case, n=3, cutoff=0.5)
        near = [by_case[match] for match in close]
        hint = f"use one of {', '.join(near or sorted(known)[:_MOST_NAMED])}"
    raise InvalidInputError(f"symbol: unknown account {name[:80]!r}; {hint}", field="symbol")
