"""Accounts that are synced automatically."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import and_, select

from penstock.collection.tables import collection_config
from penstock.inventory.queries.accounts import with_newest
from penstock.inventory.source import MARKETPLACE
from penstock.inventory.tables import account, snapshot
from penstock.runs.tables import schedule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from penstock.inventory.queries import Found


def scheduled_accounts(connection: Connection) -> Sequence[Found]:
    """Accounts that an enabled config syncs, with the times of its schedule.

    Columns: name, published_at (of the newest published snapshot, or None), configured_at,
    interval_s, cron, timezone.
    """
    columns = select(
        account.c.name,
        snapshot.c.published_at,
        collection_config.c.updated_at.label("configured_at"),
        schedule.c.interval_s,
        schedule.c.cron,
        schedule.c.timezone,
    )
    of_account = (
        collection_config.c.symbol == account.c.name,
        collection_config.c.exchange == MARKETPLACE,
        collection_config.c.enabled,
    )
    wanted = (
        with_newest(columns)
        .join(collection_config, and_(*of_account))
        .join(schedule, schedule.c.name == collection_config.c.job_id)
    )
    return connection.execute(wanted.order_by(account.c.name)).all()
