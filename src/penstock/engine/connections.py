"""The connections of a worker to its queue."""

from __future__ import annotations

import contextlib
import weakref
from typing import Any

from penstock.loop import cut_socket


class QueueConnections:
    """The open connections of a worker; a silent server makes it cut all of them."""

    def __init__(self) -> None:
        self._open: weakref.WeakSet[Any] = weakref.WeakSet()

    async def add(self, connection: Any) -> None:  # noqa: ANN401 - psycopg's own
        """Take a new one, in autocommit mode: each question is one statement."""
        await connection.set_autocommit(True)
        self._open.add(connection)

    def cut(self) -> None:
        """End whatever waits for an answer, without asking the server."""
        for connection in list(self._open):
            if not connection.closed:
                with contextlib.suppress(OSError):
                    cut_socket(connection.fileno())
