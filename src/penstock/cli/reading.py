"""What commands read: files, and the database directly, also while a service owns it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from penstock.cli.signals import run
from penstock.errors import InvalidInputError
from penstock.opening import open_reader
from penstock.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from penstock.store.session.database import Query, Transaction

T = TypeVar("T")

_PAGE = 5_000


def read_file(file: Path, most_bytes: int) -> bytes:
    """The content of the file that a command is given; InvalidInputError if it is too large."""
    try:
        with file.open("rb") as opened:
            content = opened.read(most_bytes + 1)
    except OSError as error:
        raise InvalidInputError(
            f"file: {file} cannot be read ({error.strerror})", field="file"
        ) from None
    if len(content) > most_bytes:
        raise InvalidInputError(f"file: {file} is larger than {most_bytes:,} bytes", field="file")
    return content


def read(database: str | None, query: Query[T]) -> T:
    """The result of a query, from one transaction of the database at a URL, or of the settings."""
    settings = load_settings(database_url=database)

    async def result() -> T:
        async with open_reader(settings) as opened:
            return await opened.read(query)

    return run(result())


def read_pages(
    database: str | None,
    page: Callable[[Transaction, T | None, int], Sequence[T]],
    *,
    most: int | None = None,
) -> list[T]:
    """All rows, or `most` of them, with a transaction for each page.

    `page` gives up to so many rows after the last one seen, which is None at first.
    """
    settings = load_settings(database_url=database)

    async def rows() -> list[T]:
        found: list[T] = []

        def following(connection: Transaction) -> Sequence[T]:
            size = _PAGE if most is None else min(_PAGE, most - len(found))
            return page(connection, found[-1] if found else None, size)

        async with open_reader(settings) as opened:
            while more := await opened.read(following):
                found += more
                if len(found) == most:
                    break
        return found

    return run(rows())
