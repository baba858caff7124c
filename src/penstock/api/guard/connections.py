"""The server's HTTP connections: uvicorn's, bounded in number and in how long they wait.

A connection waits while there is no request on it: before the first head is complete, and after
each answer. Strangers can do no more than wait, so only waiting connections are dropped for others.
"""

from __future__ import annotations

import resource
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import structlog
from uvicorn.protocols.http.h11_impl import H11Protocol

from penstock.api.guard.peer import PEER, End, Peer
from penstock.api.guard.rates import client_of
from penstock.api.live.reading import read_at_most

if TYPE_CHECKING:
    import asyncio

    import h11
    from uvicorn.protocols.http.h11_impl import RequestResponseCycle

_log: structlog.stdlib.BoundLogger = structlog.get_logger()

# What is left for the database, providers, exports and logs.
_OTHER_FILES = 256
_MOST, _MOST_WAITING = 8_192, 1_024
# Also how long a client may wait, send less than a kilobyte a second, or read nothing.
_PERIOD_S = 10.0
_LEAST_BYTES = 10_000
# Chunks of a body may have one byte and six of their frame.
_READ_BYTES = 4_096


@dataclass(slots=True)
class Room:
    """The room for connections: in all, for waiting ones, and for those of one address."""

    most: int
    most_waiting: int
    most_of_address: int
    _waiting: dict[HttpConnection, None] = field(default_factory=dict)
    _of_address: defaultdict[str, dict[HttpConnection, None]] = field(
        default_factory=lambda: defaultdict(dict)
    )

    @classmethod
    def of_files(cls) -> Room:
        """As many as this process may have open files for."""
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = _MOST if files == resource.RLIM_INFINITY else min(_MOST, files - _OTHER_FILES)
        waiting = min(_MOST_WAITING, most // 2)
        return cls(most, waiting, waiting // 4)

    def begin(self, connection: HttpConnection) -> None:
        """It waits from now on; the connection that has waited longest makes room for it."""
        same = self._of_address[connection.address]
        self._waiting[connection] = same[connection] = None
        if len(same) > self.most_of_address:
            _drop(next(iter(same)), "its address has too many connections without a request")
        elif len(self._waiting) > self.most_waiting:
            _drop(next(iter(self._waiting)), "too many connections are without a request")

    def end(self, connection: HttpConnection) -> None:
        """It waits no longer."""
        self._waiting.pop(connection, None)
        same = self._of_address[connection.address]
        same.pop(connection, None)
        if not same:
            del self._of_address[connection.address]


class HttpConnection(H11Protocol):
    """A connection, until a WebSocket takes it over."""

    def __init__(self, room: Room, **given: Any) -> None:
        super().__init__(**given)
        self._room = room
        self._waiting = False
        self._timer: asyncio.TimerHandle | None = None
        self._received = 0
        self._unsent = 0

    @property
    def address(self) -> str:
        """The client's, as far as it cannot choose it."""
        return client_of(self.client[0]) if self.client else ""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait; where there is no room, close at once."""
        super().connection_made(transport)
        read_at_most(transport, _READ_BYTES)
        if self.client and self.server and self.server[1] is not None:
            peer = Peer(End(*self.client), End(self.server[0], self.server[1]))
            self.app_state = {**self.app_state, PEER: peer}
        self._heed()
        if len(self.connections) > self._room.most:
            _drop(self, "there are too many connections")

    def data_received(self, data: bytes) -> None:
        """Take in a part of a request."""
        self._received += len(data)
        super().data_received(data)
        self._heed()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        self._heed()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """Leave the connection to the WebSocket, which pings its client."""
        self._leave()
        super().handle_websocket_upgrade(event)

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._leave()
        super().connection_lost(exc)

    def drop(self) -> None:
        """Close the connection, whatever is still to be sent."""
        self.transport.abort()
        self._leave()

    def _heed(self) -> None:
        """Notice that a request has begun or ended."""
        cycle: RequestResponseCycle | None = self.cycle
        waiting = cycle is None or cycle.response_complete
        if waiting == self._waiting or self.transport.is_closing():
            return
        self._waiting = waiting
        (self._room.begin if waiting else self._room.end)(self)
        self._watch()

    def _watch(self) -> None:
        self._stop_watching()
        self._received, self._unsent = 0, self.transport.get_write_buffer_size()
        self._timer = self.loop.call_later(_PERIOD_S, self._look)

    def _look(self) -> None:
        """Drop a client that kept us waiting for the whole period."""
        unsent = self.transport.get_write_buffer_size()
        sends = not self._waiting and self.cycle.more_body and not self.flow.read_paused
        stuck = 0 < self._unsent <= unsent or (sends and self._received < _LEAST_BYTES)
        (self.drop if self._waiting or stuck else self._watch)()

    def _leave(self) -> None:
        self._room.end(self)
        self._stop_watching()

    def _stop_watching(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _drop(connection: HttpConnection, reason: str) -> None:
    _log.warning("connection dropped", reason=reason, address=connection.address)
    connection.drop()
