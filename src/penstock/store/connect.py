"""The database of a URL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from penstock.errors import InvalidInputError
from penstock.store.session.database import Database, DatabaseOptions

if TYPE_CHECKING:
    from sqlalchemy import URL

    from penstock.store.session.backend import Backend


def connect(url: URL, options: DatabaseOptions | None = None) -> Database:
    """The database of a parsed URL; it is not asked anything yet."""
    options = options or DatabaseOptions()
    return Database(url, _backend(url, options), options)


def parse_url(text: str) -> URL:
    """The database of a URL: `sqlite:///file` or `postgresql://…` (also `postgres://`).

    InvalidInputError for anything else, and for parameters that the database does not know.
    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise _bad_url("") from None
    kind = url.drivername.partition("+")[0]
    if url.drivername == "sqlite" and url.database not in {None, "", ":memory:"} and not url.query:
        return url
    if kind in {"postgresql", "postgres"}:
        return _checked(url.set(drivername="postgresql+psycopg"))
    raise _bad_url("")


def _checked(url: URL) -> URL:
    # After an @ that is not escaped, a part of the password would be shown as the host.
    if "@" in (url.host or ""):
        raise _bad_url("; write an @ in the password as %40")
    from psycopg import ProgrammingError as UnknownParameterError  # noqa: PLC0415 - see _backend
    from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415 - see _backend

    try:
        conninfo_to_dict(url.set(drivername="postgresql").render_as_string(hide_password=False))
    except UnknownParameterError as error:
        raise _bad_url(f"; {str(error).strip()}") from None
    return url


def _bad_url(why: str) -> InvalidInputError:
    return InvalidInputError(
        "database: the URL has to look like sqlite:////path/to/file.db"
        f" or postgresql://user@host/name{why}",
        field="database",
    )


def _backend(url: URL, options: DatabaseOptions) -> Backend:
    """Load only the driver of this URL: loading the other one takes longer than a command reads."""
    if url.get_backend_name() == "sqlite":
        from penstock.store.sqlite.engine import SqliteBackend  # noqa: PLC0415 - see above

        return SqliteBackend(url, options)
    from penstock.store.postgres.engine import PostgresBackend  # noqa: PLC0415 - see above

    return PostgresBackend(url, options)
