"""Syncs: their runs and progress, and the differences that they keep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import and_, func, select, tuple_

from penstock.columns import if_given
from penstock.errors import InvalidInputError, NotFoundError
from penstock.inventory.snapshot import INVENTORY_SYNC, SnapshotState
from penstock.inventory.tables import (
    account,
    inventory_sync,
    product,
    product_diff,
    product_history,
    snapshot,
)
from penstock.runs.tables import run as runs

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy import Column, ColumnElement, Connection

    from penstock.inventory.queries import Found
    from penstock.runs.queries import RunQueries, RunRow

_PENDING = (SnapshotState.HELD, SnapshotState.DRY_RUN)
_KINDS = ("changed", "gone", "new", "returned")


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncRun:
    """A sync with its run; `begun` is a `sync_row`, None until it has begun."""

    run: RunRow
    account_id: int
    dry_run: bool
    begun: Found | None


@dataclass(frozen=True, slots=True)
class SyncQueries:
    """Reads syncs."""

    runs: RunQueries

    def of_task(self, connection: Connection, task_id: str) -> SyncRun | None:
        """The sync of a task; None if the task does not exist or is no sync."""
        run_id = connection.scalar(
            select(runs.c.id).where(runs.c.task_id == task_id, runs.c.kind == INVENTORY_SYNC)
        )
        return None if run_id is None else self.of_runs(connection, [run_id])[0]

    def newest(self, connection: Connection, account_id: int) -> SyncRun | None:
        """The newest sync of an account, whatever started it."""
        of_account = inventory_sync.c.account_id == account_id
        begun = connection.scalar(select(func.max(inventory_sync.c.run_id)).where(of_account))
        later = select(func.max(runs.c.id)).where(
            runs.c.kind == INVENTORY_SYNC,
            runs.c.id > (begun or 0),
            runs.c.params["account_id"].as_integer() == account_id,
        )
        newest = connection.scalar(later) or begun
        return None if newest is None else next(iter(self.of_runs(connection, [newest])), None)

    def newest_of(
        self, connection: Connection, account_ids: Collection[int], *, every: bool, most: int
    ) -> dict[int, SyncRun | None]:
        """The newest sync of these accounts, or of `every` one up to `most`; None without a sync.

        An account that does not exist is left out.
        """
        ids, found = select(account.c.id), set[int]()
        if every:
            found |= {*connection.scalars(ids.order_by(account.c.id).limit(most))}
        if account_ids:
            found |= {*connection.scalars(ids.where(account.c.id.in_(account_ids)))}
        return {one: self.newest(connection, one) for one in sorted(found)}

    def of_runs(self, connection: Connection, run_ids: Collection[int]) -> list[SyncRun]:
        """The syncs among these runs, in order of submission."""
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
                begun=sync_row(connection, run.id),
            )
            for run in self.runs.named(connection, ids=params.keys())
        ]


def sync_row(connection: Connection, run_id: int) -> Found | None:
    """The progress of a sync, with the counts and state of its snapshot once there is one.

    None if the sync has not begun.
    """
    newest = select(func.max(snapshot.c.id)).where(snapshot.c.run_id == run_id)
    counted = [column for column in snapshot.c if column.name not in {"id", "account_id", "run_id"}]
    found = select(inventory_sync, snapshot.c.id.label("snapshot_id"), *counted).outerjoin(
        snapshot, snapshot.c.id == newest.scalar_subquery()
    )
    return connection.execute(found.where(inventory_sync.c.run_id == run_id)).one_or_none()


def undecided_run(connection: Connection, account_id: int) -> int | None:
    """The run that keeps a difference of this account, if any: held, or of a dry run.

    A newer one replaces it, so there is at most one.
    """
    return _newest_kept(connection, snapshot.c.run_id, snapshot.c.account_id == account_id)


def _newest_kept(
    connection: Connection, column: Column[int], condition: ColumnElement[bool]
) -> int | None:
    """The highest value of a column, of snapshots whose difference is kept."""
    kept = select(func.max(column)).where(condition, snapshot.c.state.in_(_PENDING))
    found: int | None = connection.scalar(kept)
    return found


def list_diff(
    connection: Connection,
    run_id: int,
    *,
    kind: str | None = None,
    after: tuple[str, int] | None = None,
    limit: int,
) -> Sequence[Found]:
    """The kept difference of a run after `after` (kind, product id), in that order.

    NotFoundError if it kept none, or that was decided or replaced; InvalidInputError for an unknown
    kind.
    """
    if kind is not None and kind not in _KINDS:
        raise InvalidInputError(
            f"kind: {kind[:40]!r} is not known; use one of {', '.join(_KINDS)}", field="kind"
        )
    kept = _newest_kept(connection, snapshot.c.id, snapshot.c.run_id == run_id)
    if kept is None:
        raise NotFoundError(
            "this sync keeps no difference: it was published, decided, or replaced by a newer one"
        )
    wanted = select(product_diff).where(
        product_diff.c.snapshot_id == kept, if_given(product_diff.c.kind, kind)
    )
    if after is not None:
        # Within one kind by the id alone: else SQLite would sort all that follows for each page.
        later = (
            product_diff.c.product_id > after[1]
            if kind == after[0]
            else tuple_(product_diff.c.kind, product_diff.c.product_id) > after
        )
        wanted = wanted.where(later)
    return connection.execute(
        wanted.order_by(product_diff.c.kind, product_diff.c.product_id).limit(limit)
    ).all()


def list_changes(
    connection: Connection,
    run_id: int,
    *,
    kind: str | None = None,
    after_id: int = 0,
    limit: int,
) -> Sequence[Found]:
    """What a published sync changed, after the entry `after_id`; none for a first import.

    Rows of `product_history` with `name_en`, `quantity`, `price_cents` and `price_currency` of the
    product as it is now.
    """
    now = (product.c[name] for name in ("name_en", "quantity", "price_cents", "price_currency"))
    changes = (
        select(product_history, *now)
        .join(
            product,
            and_(
                product.c.account_id == product_history.c.account_id,
                product.c.product_id == product_history.c.product_id,
            ),
        )
        .where(
            product_history.c.run_id == run_id,
            product_history.c.id > after_id,
            if_given(product_history.c.kind, kind),
        )
    )
    return connection.execute(changes.order_by(product_history.c.id).limit(limit)).all()
