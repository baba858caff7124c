"""A hostile client of the WebSocket: frames of its own making, and reading only when it likes."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import struct
import uuid
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from tests.budget.threads import PATIENCE_S

if TYPE_CHECKING:
    from types import TracebackType

    from tests.budget.calls import Door

TEXT, CONTINUATION, PING, CLOSE = 1, 0, 9, 8
_SHORT, _MEDIUM = 125, 65_535
# A frame of the service that closes, with code and reason, at the end.
_CLOSED = re.compile(rb"\x88[\x02-\x7d](..)[^\x88]*\Z", re.DOTALL)


def frame(content: bytes, *, kind: int = TEXT, last: bool = True) -> bytes:
    """A masked frame."""
    size = len(content)
    length = (
        struct.pack("!B", 128 | size)
        if size <= _SHORT
        else struct.pack("!BH", 128 | 126, size)
        if size <= _MEDIUM
        else struct.pack("!BQ", 128 | 127, size)
    )
    # A mask of zeros leaves the content as it is.
    return bytes([128 * last | kind]) + length + b"\0\0\0\0" + content


class RawSocket:
    """A connection that was upgraded."""

    def __init__(self, door: Door, scope: str = "read") -> None:
        address = urlsplit(door.url)
        self._socket = socket.create_connection((address.hostname, address.port), PATIENCE_S)
        self._socket.sendall(
            b"GET /api/v1/ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            b"Authorization: Bearer " + door.tokens[scope].encode() + b"\r\n\r\n"
        )
        try:
            answer = self._socket.recv(65_536)
            assert answer.startswith(b"HTTP/1.1 101 "), answer
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None
    ) -> None:
        self._socket.close()

    def send(self, *frames: bytes) -> bool:
        """Send frames as one; whether the service took them in all."""
        with contextlib.suppress(ConnectionError):
            self._socket.sendall(b"".join(frames))
            return True
        return False

    def send_some(self, content: bytes, patience_s: float) -> bool:
        """Send what is taken in within some time of silence; whether that was all."""
        self._socket.settimeout(patience_s)
        try:
            self._socket.sendall(content)
        except TimeoutError:
            return False
        finally:
            self._socket.settimeout(PATIENCE_S)
        return True

    def closed(self) -> int | None:
        """Read on to the end; the code of a close frame, None without one."""
        rest = b""
        with contextlib.suppress(ConnectionError):
            while piece := self._socket.recv(65_536):
                rest = (rest + piece)[-200_000:]
        found = _CLOSED.search(rest)
        return struct.unpack("!H", found[1])[0] if found else None

    def carried_out(self) -> None:
        """Return when everything sent so far was carried out: what was asked last is refused."""
        unknown = str(uuid.uuid4())
        asked = {"subscribe": [{"channel": "tasks", "task_id": unknown}]}
        self._socket.sendall(frame(json.dumps(asked).encode()))
        rest = b""
        while unknown.encode() not in rest:
            piece = self._socket.recv(65_536)
            assert piece, "closed"
            rest = rest[-len(unknown) :] + piece

    def reset(self) -> None:
        """End the connection with a reset."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()
