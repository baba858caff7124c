"""The whole schema: the domains' tables, the run record, and what SQL alone can say (views, triggers).

The views keep the published names and columns, so that SQL written for them runs unchanged.
"""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from sqlalchemy import JSON, BigInteger, Column, Index, Integer, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from penstock.columns import BigId, Timestamp, metadata
from penstock.market import tables  # noqa: F401 - importing a domain's tables is what puts them into the schema

if TYPE_CHECKING:
    from sqlalchemy import Connection

_Json = JSON().with_variant(JSONB(), "postgresql")

run = Table(
    "run",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("task_id", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("params", _Json, nullable=False),
    Column("result", _Json),
    Column("error", Text),
    Column("fence", Integer, nullable=False),
    Column("inserted", BigInteger, nullable=False, server_default="0"),
    Column("updated", BigInteger, nullable=False, server_default="0"),
    Column("unchanged", BigInteger, nullable=False, server_default="0"),
    Column("rejected", BigInteger, nullable=False, server_default="0"),
    Column("requests", BigInteger, nullable=False, server_default="0"),
    Column("created_at", Timestamp, nullable=False),
    Column("started_at", Timestamp),
    Column("heartbeat_at", Timestamp),
    Column("finished_at", Timestamp),
    Index("run_state", "state"),
)

claim = Table("run_claim", metadata, Column("resource", Text, primary_key=True), Column("run_id", BigInteger, nullable=False, index=True))

# The views and triggers that are in force. A change of them is a new pair of files and a migration that executes it.
_PROGRAM = "0001"


def program(number: str, dialect: str) -> list[str]:
    """The statements of a version of the views and triggers; a blank line stands between two."""
    text = files("penstock.store").joinpath("program", f"{number}.{dialect}.sql").read_text(encoding="utf-8")
    return [statement.strip() for statement in text.split("\n\n")]


def create_all(connection: Connection) -> None:
    """Build the present schema in an empty database, without migrations: what they have to arrive at."""
    metadata.create_all(connection)
    for statement in program(_PROGRAM, connection.dialect.name):
        connection.exec_driver_sql(statement)
