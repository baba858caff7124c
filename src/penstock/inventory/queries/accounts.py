"""Accounts, with what is published of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from penstock.errors import ConflictError
from penstock.inventory.snapshot import SnapshotState
from penstock.inventory.tables import account, snapshot

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, Select

    from penstock.inventory.queries import Found

# Accounts that one evaluation of the alerts names.
_MOST_NAMED = 1_000

_published = snapshot.alias("published")


def list_accounts(connection: Connection) -> Sequence[Found]:
    """All accounts by name, with the newest published snapshot; never the token.

    Columns: id, name, user_id, created_at, products, published_at.
    """
    return connection.execute(_accounts().order_by(account.c.name)).all()


def count_accounts(connection: Connection) -> int:
    """How many accounts there are."""
    return int(connection.scalar(select(func.count()).select_from(account)) or 0)


def one_account(connection: Connection, account_id: int) -> Found | None:
    """A row as in `list_accounts`."""
    return connection.execute(_accounts().where(account.c.id == account_id)).one_or_none()


def accounts_without_marking(connection: Connection) -> Sequence[Found]:
    """Accounts whose newest published snapshot had rows without an id, so that none is marked gone.

    Columns: name, unidentified, unmarked.
    """
    columns = select(account.c.name, snapshot.c.unidentified, snapshot.c.unmarked)
    wanted = with_newest(columns).where(snapshot.c.unidentified > 0)
    return connection.execute(wanted.order_by(account.c.name).limit(_MOST_NAMED)).all()


def accounts_with_held_sync(connection: Connection) -> Sequence[Found]:
    """Accounts of which a sync is held.

    Columns: name, taken_at, suspicions (reason: sentence).
    """
    held: Select[Any] = (
        select(account.c.name, snapshot.c.taken_at, snapshot.c.suspicions)
        .join_from(account, snapshot, snapshot.c.account_id == account.c.id)
        .where(snapshot.c.state == SnapshotState.HELD)
    )
    return connection.execute(held.order_by(account.c.name).limit(_MOST_NAMED)).all()


def _accounts() -> Select[Any]:
    shown = [column for column in account.c if column.name != "token"]
    return with_newest(select(*shown, snapshot.c.products, snapshot.c.published_at))


def with_newest(wanted: Select[Any]) -> Select[Any]:
    """Join accounts with the newest published snapshot of each."""
    newest = select(func.max(_published.c.id)).where(
        _published.c.account_id == account.c.id, _published.c.state == SnapshotState.PUBLISHED
    )
    return wanted.outerjoin_from(account, snapshot, snapshot.c.id == newest.scalar_subquery())


def has_account(connection: Connection) -> bool:
    """Whether there is any account."""
    return connection.scalar(select(account.c.id).limit(1)) is not None


def account_ids(connection: Connection) -> dict[str, int]:
    """The ids of all accounts by name."""
    names = select(account.c.name, account.c.id).order_by(account.c.name)
    return dict(map(tuple, connection.execute(names)))


def lock_account(connection: Connection, name: str) -> None:
    """Keep an account from being renamed or deleted until the transaction ends.

    ConflictError if that has just happened.
    """
    locked = select(account.c.id).where(account.c.name == name).with_for_update(read=True)
    if connection.scalar(locked) is None:
        raise ConflictError(f"account {name[:80]!r} was renamed or deleted just now; try again")
