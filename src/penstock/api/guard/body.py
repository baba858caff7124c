"""How much of a request's body is read: never more than the limit, and none of it for whoever is refused."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from penstock.errors import TooLargeError

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Send

    from penstock.api.guard.asked import Asked

MOST_BYTES = 1_048_576
# The routes that take a file; they keep it on the disk.
FILES = {"/api/v1/inventory/catalog": 64 * 1_048_576}
# A client that is still sending when the connection is closed may never see the answer, so its bytes are thrown away for this long.
_LINGER_S = 2.0


def most_bytes(asked: Asked) -> int:
    """How long the body may be."""
    return FILES.get(asked.path, MOST_BYTES)


def too_large(asked: Asked) -> TooLargeError:
    """What to answer to a body that is."""
    return TooLargeError(
        f"body: it is longer than {most_bytes(asked):,} bytes; send less at a time"
    )


def is_small(asked: Asked) -> bool:
    """Whether the body says that it is within the limit."""
    return asked.body_bytes is not None and asked.body_bytes <= most_bytes(asked)


class CountedBody:
    """`receive` and `send` of a request whose body says nothing of its length: past the limit the application gets and sends nothing more."""

    def __init__(self, asked: Asked, receive: Receive, send: Send) -> None:
        self._most = most_bytes(asked)
        self._receive = receive
        self._send = send
        self._bytes = 0
        self.answered = False

    @property
    def is_too_large(self) -> bool:
        """Whether more came than the limit."""
        return self._bytes > self._most

    async def receive(self) -> Message:
        """See ASGI."""
        message = await self._receive()
        self._bytes += len(message.get("body", b""))
        return {"type": "http.disconnect"} if self.is_too_large else message

    async def send(self, message: Message) -> None:
        """See ASGI."""
        if self.is_too_large and not self.answered:
            return
        self.answered = True
        await self._send(message)


def closing(receive: Receive, send: Send) -> Send:
    """A `send` that ends the connection with the answer, and gives a client that is still sending the time to see it."""

    async def send_and_close(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
        if message["type"] != "http.response.body" or message.get("more_body"):
            await send(message)
            return
        await send({**message, "more_body": True})
        await _throw_away(receive)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    return send_and_close


async def _throw_away(receive: Receive) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_LINGER_S):
            while (message := await receive())["type"] == "http.request" and message.get(
                "more_body"
            ):
                pass
