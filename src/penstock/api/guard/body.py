"""How much of a request's body is read: up to the limit, and nothing of a refused request."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from penstock.errors import InvalidInputError, TooLargeError

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Send

    from penstock.api.guard.head import RequestHead

MOST_BYTES = 1_048_576
# The routes that take a file; they keep it on the disk.
FILES = {"/api/v1/inventory/catalog": 64 * 1_048_576}
# A client that is still sending when the connection is closed may never see the answer, so its
# bytes are thrown away for this long.
_LINGER_S = 2.0


def most_bytes(head: RequestHead) -> int:
    """How long the body may be."""
    return FILES.get(head.path, MOST_BYTES)


def too_large(head: RequestHead) -> TooLargeError:
    """The error for a body that is too long."""
    return TooLargeError(f"body: it is longer than {most_bytes(head):,} bytes; send less at a time")


def check_length(head: RequestHead) -> None:
    """InvalidInputError for a body that has two lengths: a proxy may have taken the other one."""
    if head.values(b"transfer-encoding") and head.values(b"content-length"):
        raise InvalidInputError(
            "Content-Length: send it or Transfer-Encoding, not both", field="Content-Length"
        )


def is_small(head: RequestHead) -> bool:
    """Whether the body says that it is within the limit."""
    return head.body_bytes is not None and head.body_bytes <= most_bytes(head)


class CountedBody:
    """`receive` and `send` of a request whose head does not tell the length of its body.

    Past the limit, the application gets and sends nothing more.
    """

    def __init__(self, head: RequestHead, receive: Receive, send: Send) -> None:
        self._most = most_bytes(head)
        self._receive = receive
        self._send = send
        self._bytes = 0
        self.answered = False

    @property
    def is_too_large(self) -> bool:
        """Whether more came than the limit."""
        return self._bytes > self._most

    async def receive(self) -> Message:
        """The next message of the client, or its end once the body is too large."""
        message = await self._receive()
        self._bytes += len(message.get("body", b""))
        return {"type": "http.disconnect"} if self.is_too_large else message

    async def send(self, message: Message) -> None:
        """Send a message of the application, unless the body was too large before it began."""
        if self.is_too_large and not self.answered:
            return
        self.answered = True
        await self._send(message)


def closing(receive: Receive, send: Send) -> Send:
    """A `send` that ends the connection with the answer.

    A client that is still sending has some time to see it.
    """

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
