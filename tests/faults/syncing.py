"""Processes for the tests of kill -9: each syncs an account, and prints the phases it reaches.

For each line of input, `DATABASE MARKETPLACE FOLDER KEY ACCOUNT MOMENT`, this process forks one
that has everything imported already, so that a kill costs milliseconds and no start of Python. It
prints `pid N`, and `halted` at the moment; at its end this process prints `ended STATUS`. Moments
besides those of `halting`: `first-byte` of an export, and the start of each phase, by its name.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from penstock.app import App, open_app
from penstock.domains.inventory import InventoryParts
from penstock.inventory.pace import SyncPace
from penstock.inventory.snapshot import INVENTORY_SYNC
from penstock.logs import log_to_stderr
from penstock.runs.tables import run as runs
from penstock.settings import load_settings
from tests.faults.halting import halt, halt_at_commit

if TYPE_CHECKING:
    from penstock.inventory.pace import Phase
    from penstock.inventory.source import ExportBody

_LOOK_S = 0.02


async def keep_in_step(
    database_url: str, marketplace_url: str, folder: str, key: str, account_id: int
) -> None:
    """Continue the run of an earlier process; start a new sync only if there is none."""
    settings = load_settings(
        database_url=database_url,
        cardtrader_url=marketplace_url,
        export_folder=folder,
        secret_key=key,
    )
    async with open_app(settings) as app:
        say("open")
        if not await unfinished(app):
            await app.ledger.submit(await app.of(InventoryParts).runs.sync(account_id))
        async with app.working():
            while await unfinished(app):
                await asyncio.sleep(_LOOK_S)


async def unfinished(app: App) -> int:
    """The number of unfinished syncs."""
    count = select(func.count()).where(
        runs.c.kind == INVENTORY_SYNC, runs.c.state.in_(["queued", "running"])
    )
    return await app.database.read(lambda connection: int(connection.execute(count).scalar_one()))


def say(words: str) -> None:
    """Print a line in one write, so that it leaves this process at once."""
    os.write(1, f"{words}\n".encode())


def tell_phases(moment: str) -> None:
    """Print each phase that begins, and halt at the moment."""
    enter, watch = SyncPace.enter, SyncPace.watch

    def entered(self: SyncPace, phase: Phase) -> None:
        say(f"phase {phase}")
        if phase == moment:
            halt()
        enter(self, phase)

    def watched(self: SyncPace, body: ExportBody) -> None:
        if moment == "first-byte":
            halt()
        watch(self, body)

    SyncPace.enter = entered  # type: ignore[method-assign]
    SyncPace.watch = watched  # type: ignore[method-assign]


def main() -> None:
    log_to_stderr("warning")
    for line in sys.stdin:
        database_url, marketplace_url, folder, key, account_id, moment = line.split()
        child = os.fork()
        if not child:
            say(f"pid {os.getpid()}")
            tell_phases(moment)
            halt_at_commit(moment)
            asyncio.run(keep_in_step(database_url, marketplace_url, folder, key, int(account_id)))
            os._exit(0)
        say(f"ended {os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}")


if __name__ == "__main__":
    main()
