"""The port through which everything is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

T = TypeVar("T")


class Reader(Protocol):
    """Where queries are asked."""

    async def read(self, query: Callable[[Connection], T]) -> T:
        """What the query reads."""
