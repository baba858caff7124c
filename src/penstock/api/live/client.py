"""One client of the WebSocket: a bounded queue, and the task that sends what is in it."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from starlette.websockets import WebSocketDisconnect

from penstock.api.live.feeds.messages import numbered, resync_message

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from penstock.api.live.feeds.channels import Channel

_BEHIND = resync_message(
    "this client reads more slowly than messages come; those that waited for it were dropped, "
    "and the present state follows"
)


@dataclass(slots=True)
class Traffic:
    """What all clients together were sent since the start."""

    sent: int = 0
    resyncs: int = 0
    evictions: int = 0


@dataclass(eq=False, slots=True)
class Subscriber:
    """A connection. `send` sends one text and may wait, `evict` ends the connection.

    `restate` asks for the state after a resync. The queue holds text that all clients share; each
    has its own numbers. They count what was sent, so there are no holes: a resync says that
    messages were dropped, a missing number never does.
    """

    send: Callable[[str], Awaitable[None]]
    evict: Callable[[str], None]
    restate: Callable[[Subscriber], None]
    traffic: Traffic
    most: int
    channels: set[Channel] = field(default_factory=set)
    waiting: int = 0
    _queue: deque[str] = field(default_factory=deque)
    _filled: asyncio.Event = field(default_factory=asyncio.Event)
    _number: int = 0
    _behind: bool = False
    _sending: bool = False
    _sweeps: int = 0

    @property
    def queued(self) -> int:
        """How many messages wait to be sent."""
        return len(self._queue)

    def put(self, message: str) -> None:
        """Queue a message; a client that is behind gets a resync instead, then the state."""
        if self._behind:
            return
        if len(self._queue) >= self.most:
            self.resync(_BEHIND)
        else:
            self._queue.append(message)
            self._filled.set()

    def state(self, messages: Iterable[str]) -> None:
        """Queue the state.

        It is never dropped, or it would be asked again. No message of a client is taken while the
        queue is full, so it grows by no more than what was taken before.
        """
        self._queue.extend(messages)
        self._filled.set()

    def resync(self, message: str) -> None:
        """Drop what is waiting, and send why."""
        self.traffic.resyncs += 1
        self._behind = True
        self._queue.clear()
        self._queue.append(message)
        self._filled.set()

    def sweep(self) -> int:
        """How many sweeps, this one included, have seen the same message wait.

        Sweeps are counted, not time: a process that was stopped blames no client for it.
        """
        self._sweeps = self._sweeps + 1 if self._sending else 0
        return self._sweeps

    async def pump(self) -> None:
        """Send what comes, until the connection ends."""
        with contextlib.suppress(WebSocketDisconnect):
            while True:
                await self._filled.wait()
                self._filled.clear()
                while self._queue:
                    self._number += 1
                    self._sending, self._sweeps = True, 0
                    await self.send(numbered(self._queue.popleft(), self._number))
                    self.traffic.sent += 1
                self._sending = False
                if self._behind:
                    self._behind = False
                    self.restate(self)
