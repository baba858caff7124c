"""What can be read of syncs: the run with how far it is, also of one that has not begun, or failed before it did. Times are ms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from penstock.inventory import queries
from penstock.inventory.sync.snapshot import INVENTORY_SYNC
from penstock.inventory.tables import account, inventory_sync
from penstock.runs.tables import run as runs

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import Connection

    from penstock.inventory.queries import Found
    from penstock.runs.queries import RunQueries, RunRow


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncRun:
    """A sync as it is shown. `begun`: a row of penstock.inventory.queries.sync; None until it has begun."""

    run: RunRow
    account_id: int
    dry_run: bool
    begun: Found | None


@dataclass(frozen=True, slots=True)
class SyncQueries:
    """Reads syncs."""

    runs: RunQueries

    def one(self, connection: Connection, task_id: str) -> SyncRun | None:
        """The sync of a task; None when there is no such task, or it is something else."""
        run_id = connection.scalar(
            select(runs.c.id).where(runs.c.task_id == task_id, runs.c.kind == INVENTORY_SYNC)
        )
        return None if run_id is None else self.named(connection, [run_id])[0]

    def newest(self, connection: Connection, account_id: int) -> SyncRun | None:
        """The newest sync of an account, whatever started it."""
        begun = connection.scalar(
            select(func.max(inventory_sync.c.run_id)).where(
                inventory_sync.c.account_id == account_id
            )
        )
        of_account = runs.c.params["account_id"].as_integer() == account_id
        later = connection.scalar(
            select(func.max(runs.c.id)).where(
                runs.c.kind == INVENTORY_SYNC, runs.c.id > (begun or 0), of_account
            )
        )
        newest = later or begun
        return None if newest is None else next(iter(self.named(connection, [newest])), None)

    def newest_of(
        self, connection: Connection, account_ids: Collection[int], *, every: bool, most: int
    ) -> dict[int, SyncRun | None]:
        """The newest sync of these accounts, or of the first `most` that there are: None for one without any; one that is not there is left out."""
        found: set[int] = set()
        if every:
            found |= {*connection.scalars(select(account.c.id).order_by(account.c.id).limit(most))}
        if account_ids:
            found |= {
                *connection.scalars(select(account.c.id).where(account.c.id.in_(account_ids)))
            }
        return {one: self.newest(connection, one) for one in sorted(found)}

    def named(self, connection: Connection, run_ids: Collection[int]) -> list[SyncRun]:
        """Those of these runs that are syncs, in order of their submission."""
        wanted = select(runs.c.id, runs.c.params).where(
            runs.c.id.in_(run_ids), runs.c.kind == INVENTORY_SYNC
        )
        params = {row.id: row.params for row in connection.execute(wanted)}
        if not params:
            return []
        return [
            SyncRun(
                run=run,
                account_id=int(params[run.id]["account_id"]),
                dry_run=bool(params[run.id].get("dry_run")),
                begun=queries.sync(connection, run.id),
            )
            for run in self.runs.named(connection, ids=params.keys())
        ]
