"""The port for reading."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

T = TypeVar("T")


class Reader(Protocol):
    """Runs queries."""

    async def read(self, query: Callable[[Connection], T]) -> T:
        """The result of the query."""
