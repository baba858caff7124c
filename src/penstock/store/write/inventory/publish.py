"""Publishing a snapshot, keeping it for a decision, and deciding.

Each function is part of a transaction of its caller.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, insert, select, text, update

from penstock.columns import DatabaseNow
from penstock.errors import ConflictError, NotFoundError
from penstock.inventory.snapshot import SnapshotCounts, SnapshotState
from penstock.inventory.tables import account, product, product_diff, product_list, snapshot
from penstock.runs.run import Counters
from penstock.runs.tables import run as runs
from penstock.store.statements import inventory as sql

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection, Row

_PENDING = (SnapshotState.HELD, SnapshotState.DRY_RUN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A staged snapshot, compared; `products` will be in the inventory."""

    account_id: int
    run_id: int
    base: int | None
    counts: SnapshotCounts
    products: int
    currencies: Mapping[str, int]
    suspicions: Mapping[str, str] = field(default_factory=dict)


def base_of(connection: Connection, account_id: int) -> Row[Any] | None:
    """The newest published snapshot of an account; None before the first."""
    newest = select(snapshot).where(
        snapshot.c.account_id == account_id, snapshot.c.state == SnapshotState.PUBLISHED
    )
    return connection.execute(newest.order_by(snapshot.c.id.desc()).limit(1)).one_or_none()


def publish(connection: Connection, words: sql.Words, taken: Taken) -> None:
    """Write what differs, with its history; ConflictError if another snapshot was published."""
    _require_base(connection, taken.account_id, taken.base)
    parameters = {"account": taken.account_id, "run": taken.run_id}
    if taken.base is None:
        _fill(connection, sql.ALL_NEW, parameters)
    else:
        _apply(connection, words, (sql.DIFFERENT, sql.STAGED_GONE), parameters, taken.counts)
    _replace_pending(connection, taken.account_id)
    connection.execute(_insert(taken, SnapshotState.PUBLISHED).values(published_at=DatabaseNow()))


def keep(connection: Connection, words: sql.Words, taken: Taken, state: SnapshotState) -> None:
    """Keep what differs, and drop what was kept of an earlier snapshot."""
    _lock(connection, taken.account_id)
    _replace_pending(connection, taken.account_id)
    [snapshot_id] = connection.execute(_insert(taken, state).returning(snapshot.c.id)).one()
    rows = sql.ALL_NEW if taken.base is None else sql.DIFFERENT
    parameters = {"account": taken.account_id, "snapshot": snapshot_id}
    connection.execute(text(sql.keep_rows(words, rows)), parameters)
    if taken.counts.gone:
        connection.execute(text(sql.keep_gone(words)), parameters)


def approve(connection: Connection, words: sql.Words, run_id: int) -> SnapshotCounts:
    """Apply exactly what was kept.

    ConflictError if its base is outdated, or it was replaced or decided already.
    """
    kept = _pending(connection, run_id)
    _require_base(connection, kept.account_id, kept.base_id)
    counts = SnapshotCounts.of(kept)
    parameters = {"account": kept.account_id, "run": run_id, "snapshot": kept.id}
    if kept.base_id is None:
        _fill(connection, sql.KEPT, parameters)
    else:
        _apply(connection, words, (sql.KEPT, sql.KEPT_GONE), parameters, counts)
    _decide(connection, [kept.id], state=SnapshotState.PUBLISHED, published_at=DatabaseNow())
    counted = {name: runs.c[name] + count for name, count in asdict(written(counts)).items()}
    connection.execute(update(runs).where(runs.c.id == run_id).values(counted))
    return counts


def written(counts: SnapshotCounts) -> Counters:
    """What publishing does, in products; the run has counted refused rows before."""
    updated = counts.changed + counts.gone + counts.returned
    return Counters(inserted=counts.new, updated=updated, unchanged=counts.unchanged)


def reject(connection: Connection, run_id: int) -> None:
    """Drop what was kept; ConflictError if it was replaced or decided already."""
    kept = _pending(connection, run_id)
    _decide(connection, [kept.id], state=SnapshotState.REJECTED)


def _apply(
    connection: Connection,
    words: sql.Words,
    origin: tuple[str, str],
    parameters: Mapping[str, object],
    counts: SnapshotCounts,
) -> None:
    """Write the history first, while the old values are there."""
    rows, gone = origin
    if counts.new + counts.changed + counts.returned:
        connection.execute(text(sql.note_rows(words, rows)), parameters)
        connection.execute(text(sql.write_rows(rows, empty=False)), parameters)
    if counts.gone:
        connection.execute(text(sql.note_gone(words, gone)), parameters)
        connection.execute(text(sql.remove_rows(words, gone)), parameters)


def _fill(connection: Connection, rows: str, parameters: Mapping[str, object]) -> None:
    """Write the first rows of an account."""
    # Rows come in no order: an index that is made afterwards takes a tenth of the time.
    later = connection.dialect.name == "sqlite" and connection.scalar(_NO_PRODUCT)
    if later:
        product_list.drop(connection)
    connection.execute(text(sql.write_rows(rows, empty=True)), parameters)
    if later:
        product_list.create(connection)


_NO_PRODUCT = select(~select(product.c.product_id).exists())


def _insert(taken: Taken, state: SnapshotState) -> Any:  # noqa: ANN401 - RETURNING changes its type
    return insert(snapshot).values(
        account_id=taken.account_id,
        run_id=taken.run_id,
        base_id=taken.base,
        state=state,
        suspicions=dict(taken.suspicions),
        currencies=dict(taken.currencies),
        products=taken.products,
        taken_at=DatabaseNow(),
        **asdict(taken.counts),
    )


def _lock(connection: Connection, account_id: int) -> None:
    """Make others that publish or keep for this account wait; NotFoundError if it was deleted."""
    locked = select(account.c.id).where(account.c.id == account_id).with_for_update()
    if connection.scalar(locked) is None:
        raise NotFoundError(f"account {account_id} no longer exists")


def _require_base(connection: Connection, account_id: int, base: int | None) -> None:
    _lock(connection, account_id)
    newest = base_of(connection, account_id)
    if (newest and newest.id) != base:
        raise ConflictError(
            "the published inventory has changed since this was compared with it; start a new sync"
        )


def _pending(connection: Connection, run_id: int) -> Row[Any]:
    """What a run kept, still undecided, with its account locked."""
    newest = (
        select(snapshot).where(snapshot.c.run_id == run_id).order_by(snapshot.c.id.desc()).limit(1)
    )
    account_id = connection.scalar(
        select(func.max(snapshot.c.account_id)).where(snapshot.c.run_id == run_id)
    )
    if account_id is None:
        raise NotFoundError(
            "this sync keeps nothing that could be decided; `penstock accounts` says how it is"
        )
    _lock(connection, account_id)
    found = connection.execute(newest).one()
    if found.state not in _PENDING:
        raise ConflictError(_DECIDED[SnapshotState(found.state)])
    return found


_DECIDED = {
    SnapshotState.PUBLISHED: "this sync is published already: there is nothing to decide",
    SnapshotState.REJECTED: "this sync was rejected; start a new one",
    SnapshotState.SUPERSEDED: (
        "a newer sync of this account has replaced this one; decide that one, or start a new sync"
    ),
}


def _replace_pending(connection: Connection, account_id: int) -> None:
    pending = select(snapshot.c.id).where(
        snapshot.c.account_id == account_id, snapshot.c.state.in_(_PENDING)
    )
    if ids := list(connection.scalars(pending)):
        _decide(connection, ids, state=SnapshotState.SUPERSEDED)


def _decide(connection: Connection, snapshot_ids: Sequence[int], **values: object) -> None:
    """Drop what was kept of snapshots, and note what has become of them."""
    connection.execute(delete(product_diff).where(product_diff.c.snapshot_id.in_(snapshot_ids)))
    connection.execute(update(snapshot).where(snapshot.c.id.in_(snapshot_ids)).values(**values))
