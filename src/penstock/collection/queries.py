"""What configs say, for those that need no more of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from penstock.collection.tables import collection_config

if TYPE_CHECKING:
    from sqlalchemy import Connection


def collected_exchanges(connection: Connection) -> set[str]:
    """The exchanges of all enabled configs."""
    enabled = select(collection_config.c.exchange).where(collection_config.c.enabled)
    return set(connection.scalars(enabled))
