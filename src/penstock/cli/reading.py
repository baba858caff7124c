"""What commands read, directly from the database, also while a service owns it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from penstock.cli.signals import run
from penstock.opening import open_reader

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection

    from penstock.settings import Settings

T = TypeVar("T")

_PAGE = 5_000


def read(settings: Settings, query: Callable[[Connection], T]) -> T:
    """The result of a query, from one transaction."""

    async def result() -> T:
        async with open_reader(settings) as database:
            return await database.read(query)

    return run(result())


def read_pages(
    settings: Settings,
    page: Callable[[Connection, T | None, int], Sequence[T]],
    *,
    most: int | None = None,
) -> list[T]:
    """All rows, or `most` of them, with a transaction for each page.

    `page` gives up to so many rows after the last one seen, which is None at first.
    """

    async def rows() -> list[T]:
        found: list[T] = []

        def following(connection: Connection) -> Sequence[T]:
            size = _PAGE if most is None else min(_PAGE, most - len(found))
            return page(connection, found[-1] if found else None, size)

        async with open_reader(settings) as database:
            while more := await database.read(following):
                found += more
                if len(found) == most:
                    break
        return found

    return run(rows())
