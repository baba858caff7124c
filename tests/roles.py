"""Roles and databases of a real PostgreSQL, with the rights that a test gives them."""

from __future__ import annotations

import contextlib
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

import psycopg

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.postgres_server import PostgresServer


@dataclass(frozen=True)
class Place:
    """A database, and a role in it that owns nothing; `role` and `name` need no quotes."""

    administrator: str
    role: str
    password: str

    @property
    def name(self) -> str:
        return urlsplit(self.administrator).path[1:]

    @property
    def url(self) -> str:
        """The URL of the role."""
        address = urlsplit(self.administrator).netloc.rpartition("@")[2]
        return f"postgresql://{self.role}:{self.password}@{address}/{self.name}"

    def with_options(self, options: str) -> str:
        """The URL of the role with options of a session."""
        return f"{self.url}?options={quote(options)}"

    def run(self, *statements: str) -> None:
        """Run statements as an administrator in this database; {role} and {name} stand in them."""
        with psycopg.connect(self.administrator, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.format(role=self.role, name=self.name).encode())

    def values(self, query: str) -> list[object]:
        """The first column of a query of an administrator."""
        with psycopg.connect(self.administrator) as connection:
            return [row[0] for row in connection.execute(query.encode())]

    def mend(self, message: str) -> None:
        """Run what a message asks an administrator to run."""
        _, found, statements = message.partition("run as an administrator: ")
        assert found, message
        self.run(*statements.split("; "))


@contextlib.contextmanager
def a_place(server: PostgresServer, template: str, *, role: str | None = None) -> Iterator[Place]:
    """A copy of a database, in which a new role may only connect."""
    role, password = role or f"app_{secrets.token_hex(4)}", secrets.token_hex(8)
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{password}'".encode())
        try:
            with server.database(template) as url:
                place = Place(url, role, password)
                place.run(
                    "REVOKE ALL ON DATABASE {name} FROM PUBLIC",
                    "REVOKE ALL ON SCHEMA public FROM PUBLIC",
                    "GRANT CONNECT ON DATABASE {name} TO {role}",
                )
                yield place
        finally:
            connection.execute(f"DROP ROLE {role}".encode())
