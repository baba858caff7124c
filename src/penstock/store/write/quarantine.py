"""The quarantine of refused rows: each is kept once, and counted when it is refused again."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from penstock.columns import DatabaseNow
from penstock.store.statements.storable import storable
from penstock.store.statements.upsert import upsert

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, Table

_RAW_CHARS = 2_000


def refused(reason: str, detail: str, raw: str) -> dict[str, Any]:
    """The columns that all quarantines have; by its digest a row is found again."""
    text = f"{reason}\n{raw}".encode("utf-8", "replace")
    return {
        "digest": hashlib.blake2b(text, digest_size=16).hexdigest(),
        "reason": reason,
        "detail": storable(detail[:_RAW_CHARS]),
        "raw": storable(raw[:_RAW_CHARS]),
    }


def put_refused(
    connection: Connection, table: Table, owner: str, rows: Sequence[dict[str, Any]]
) -> None:
    """Keep the rows of owners, such as series, whose ids are in the column `owner`."""
    if rows:
        put = upsert(
            connection,
            table,
            key=(owner, "digest"),
            change=("run_id", "seen_at"),
            seen=table.c.seen + 1,
        )
        connection.execute(put.values(seen_at=DatabaseNow()), rows)
