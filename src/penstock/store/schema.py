"""The whole schema: the domains' tables, the run record, and what SQL alone can say (views, triggers).

The views keep the published names and columns, so that SQL written for them runs unchanged.
"""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

import penstock.access.tables
import penstock.alerts.tables
import penstock.collection.tables
import penstock.http.tables
import penstock.inventory.tables
import penstock.market.tables
import penstock.runs.tables  # noqa: F401 - importing its tables is what puts a part into the schema
from penstock.columns import metadata

if TYPE_CHECKING:
    from sqlalchemy import Connection

# The views and triggers that are in force. A change of them is a new pair of files and a migration that executes it.
_PROGRAM = ("0001", "0002", "0003")


def program(number: str, dialect: str) -> list[str]:
    """The statements of a version of the views and triggers, none if it does not concern this database; a blank line stands between two."""
    file = files("penstock.store").joinpath("program", f"{number}.{dialect}.sql")
    return (
        [statement.strip() for statement in file.read_text(encoding="utf-8").split("\n\n")]
        if file.is_file()
        else []
    )


def create_all(connection: Connection) -> None:
    """Build the present schema in an empty database, without migrations: what they have to arrive at."""
    metadata.create_all(connection)
    for number in _PROGRAM:
        for statement in program(number, connection.dialect.name):
            connection.exec_driver_sql(statement)
