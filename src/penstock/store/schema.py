"""The whole schema: the tables of all parts, and what only SQL can express (views, triggers).

The views keep the published names and columns, so that SQL written for them runs unchanged.
"""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any

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

# The views and triggers that are in force. A change of them is a new pair of files and a migration
# that executes it.
_PROGRAM = ("0001", "0002", "0003")


def program(number: str, dialect: str) -> list[str]:
    """The statements of a version of the views and triggers; a blank line stands between two.

    None for a database that it does not concern.
    """
    file = files("penstock.store").joinpath("program", f"{number}.{dialect}.sql")
    return (
        [statement.strip() for statement in file.read_text(encoding="utf-8").split("\n\n")]
        if file.is_file()
        else []
    )


def make_queue(connection: Connection) -> None:
    """Create the queue that delivers runs on PostgreSQL."""
    script = files("penstock.store").joinpath("program", "procrastinate_3.10.sql")
    # Straight to the driver: it is many statements, and its per cent signs are no parameters.
    driver: Any = connection.connection.driver_connection
    driver.execute(script.read_text(encoding="utf-8"))


def create_all(connection: Connection) -> None:
    """Build the present schema in an empty database, without the migrations that lead to it."""
    metadata.create_all(connection)
    for number in _PROGRAM:
        for statement in program(number, connection.dialect.name):
            connection.exec_driver_sql(statement)
    if connection.dialect.name == "postgresql":
        make_queue(connection)
