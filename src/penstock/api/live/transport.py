"""The server's WebSocket protocol: uvicorn's, which also ends clients that do not read.

uvicorn closes a connection once all is sent. To a client that does not read that never happens:
the socket, its buffers and its tasks would stay for good.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidState

from penstock.api.live.evict import EVICT

if TYPE_CHECKING:
    from uvicorn._types import ASGISendEvent
    from websockets.http11 import Request

# Small: a client that does not read is noticed after some hundred messages, and costs no more
# memory than those.
_SEND_BUFFER = 32_768
# What is written last has this long to get through before the connection is cut.
_LAST_WORDS_S = 1.0
_POLICY_VIOLATION = 1008


class SocketProtocol(WebSocketsSansIOProtocol):
    """One WebSocket connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, with small buffers."""
        super().connection_made(transport)
        connection: socket.socket | None = transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        self.transport.set_write_buffer_limits(high=_SEND_BUFFER)

    def handle_connect(self, event: Request) -> None:
        """Accept the connection, and give the application a way to evict it."""
        super().handle_connect(event)
        if self.response.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
            extensions: Any = self.scope["extensions"]
            extensions[EVICT] = self.evict

    async def send(self, message: ASGISendEvent) -> None:
        """Send a message; ClientDisconnected while the connection is being closed.

        uvicorn calls that a mistake of the application, which cannot know.
        """
        try:
            await super().send(message)
        except RuntimeError as error:
            if self.close_sent:
                raise ClientDisconnected from error
            raise
        # A refusal ends the handshake too; uvicorn would log it as a mistake of the application.
        self.handshake_complete |= self.close_sent

    def evict(self, reason: str) -> None:
        """Send the reason ahead of what is still to be sent, and cut the connection soon."""
        if not self.transport.is_closing():
            self.stop_keepalive()
            with contextlib.suppress(InvalidState):
                self.conn.send_close(_POLICY_VIOLATION, reason)
                self.transport.write(b"".join(self.conn.data_to_send()))
            self.close_sent = True
            self.queue.put_nowait(
                {"type": "websocket.disconnect", "code": _POLICY_VIOLATION, "reason": reason}
            )
        self._cut_soon()

    def keepalive_timeout(self) -> None:
        """Close the connection of a client that does not answer pings."""
        super().keepalive_timeout()
        self._cut_soon()

    def shutdown(self) -> None:
        """Close the connection when the service ends."""
        super().shutdown()
        self._cut_soon()

    def _cut_soon(self) -> None:
        self.loop.call_later(_LAST_WORDS_S, self.transport.abort)
