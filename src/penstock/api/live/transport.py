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
from penstock.api.live.reading import read_at_most

if TYPE_CHECKING:
    from uvicorn._types import ASGISendEvent
    from websockets.frames import Frame
    from websockets.http11 import Request

# Small: a client that does not read is noticed after some hundred messages, and costs no more
# memory than those.
_SEND_BUFFER = 32_768
# The frames of one read are taken in at once, and the shortest have six bytes.
_READ_BYTES = 1_024
_MOST_FRAGMENTS = 1_000
# What is written last has this long to get through before the connection is cut.
_LAST_WORDS_S = 1.0
_NOT_UTF8, _POLICY_VIOLATION, _TOO_BIG = 1007, 1008, 1009


class SocketProtocol(WebSocketsSansIOProtocol):
    """One WebSocket connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, with small buffers."""
        super().connection_made(transport)
        connection: socket.socket | None = transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        self.transport.set_write_buffer_limits(high=_SEND_BUFFER)
        read_at_most(self.transport, _READ_BYTES)

    def handle_connect(self, event: Request) -> None:
        """Accept the connection, and give the application a way to evict it."""
        super().handle_connect(event)
        if self.response.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
            extensions: Any = self.scope["extensions"]
            extensions[EVICT] = self.evict

    def handle_cont(self, event: Frame) -> None:
        """Take in a fragment; also those without content are counted."""
        super().handle_cont(event)
        if len(self.frames) > _MOST_FRAGMENTS:
            self._fail(_TOO_BIG, f"a message has at most {_MOST_FRAGMENTS} fragments")

    def handle_ping(self) -> None:
        """Answer a ping, unless the client does not read the answers."""
        if self.writable.is_set():
            super().handle_ping()
        else:
            self.conn.data_to_send()

    def send_receive_event_to_app(self) -> None:
        """Hand on a message; text that is not UTF-8 ends the connection."""
        if self.curr_msg_data_type == "text":
            try:
                b"".join(self.frames).decode()
            except UnicodeDecodeError:
                self._fail(_NOT_UTF8, "text has to be UTF-8")
                return
        super().send_receive_event_to_app()

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

    def _fail(self, code: int, reason: str) -> None:
        self.frames = []
        self.conn.fail(code, reason)
        if self.conn.close_sent is not None and not self.transport.is_closing():
            self.handle_parser_exception()

    def _cut_soon(self) -> None:
        self.loop.call_later(_LAST_WORDS_S, self.transport.abort)
