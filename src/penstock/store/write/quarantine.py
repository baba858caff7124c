"""The quarantine of refused rows: each is kept once, and counted when it is refused again.

Of each owner, such as a series, the newest 1,000 rows are kept.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, select

from penstock.columns import DatabaseNow
from penstock.store.statements.storable import storable
from penstock.store.statements.upsert import upsert

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, Table

MOST_KEPT = 1_000
_RAW_CHARS = 2_000
_DETAIL_CHARS = 500


def refused(reason: str, detail: str, raw: str) -> dict[str, Any]:
    """The columns that all quarantines have; by its digest a row is found again."""
    text = f"{reason}\n{raw}".encode("utf-8", "replace")
    return {
        "digest": hashlib.blake2b(text, digest_size=16).hexdigest(),
        "reason": reason,
        "detail": storable(detail[:_DETAIL_CHARS]),
        "raw": storable(raw[:_RAW_CHARS]),
    }


def put_refused(
    connection: Connection, table: Table, owner: str, rows: Sequence[dict[str, Any]]
) -> None:
    """Keep the rows of owners, such as series, whose ids are in the column `owner`."""
    kept: defaultdict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        if len(kept[row[owner]]) < MOST_KEPT:
            kept[row[owner]].append(row)
    put = upsert(
        connection,
        table,
        key=(owner, "digest"),
        change=("run_id", "seen_at"),
        seen=table.c.seen + 1,
    ).values(seen_at=DatabaseNow())
    for owner_id, its_rows in kept.items():
        connection.execute(put, its_rows)
        of_owner = table.c[owner] == owner_id
        newest = select(table.c.id).where(of_owner).order_by(table.c.id.desc())
        first_left_out = newest.offset(MOST_KEPT).limit(1).scalar_subquery()
        connection.execute(delete(table).where(of_owner, table.c.id <= first_left_out))
