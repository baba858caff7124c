"""The hub: hears what changed, reads the new state once for all clients, and sends it to followers.

One loop does everything in passes, so a client's messages are in the order in which the database
was read, also at its first subscription.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import structlog

from penstock.api.live.client import Subscriber, Traffic
from penstock.api.live.feeds.messages import error_message, resync_message
from penstock.errors import InvalidInputError, PenstockError, StoreUnavailableError
from penstock.loop import Outage, background
from penstock.runs.events import EventsLost

if TYPE_CHECKING:
    from collections.abc import (
        AsyncIterator,
        Awaitable,
        Callable,
        Collection,
        Iterable,
        Iterator,
        Sequence,
    )

    from sqlalchemy import Connection

    from penstock.api.live.feeds.channels import Channel, ClientMessage
    from penstock.api.live.feeds.protocol import Feed
    from penstock.runs.events import Event
    from penstock.store.session.database import Database

AnyFeed: TypeAlias = "Feed[Any]"
# What followers of a channel get first, returning ones or new ones: a thousand that come together
# share it.
States: TypeAlias = "dict[tuple[Channel, bool], list[str]]"

_LOST = resync_message(
    "changes may have been missed while the database was unreachable; the present state follows"
)
_UNEXPECTED = resync_message(
    "changes may have been missed after an error of the service; the present state follows"
)
_FAILED = PenstockError("an unexpected error; the log of the service has it. Subscribe again")
# A thousand sends in one turn of the event loop stall everything else for 60 to 130 ms.
_IN_A_TURN = 64
_RETRY_S = 1.0

_log = structlog.stdlib.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class HubOptions:
    """`queue`: messages that wait for one client; `pause_s`: between two looks at the database.

    `channels` that a client follows; `waiting`: channels of its orders that are not carried out.
    `stuck_s`: how long one message may wait, counted by sweeps that see it, one every `sweep_s`.
    """

    queue: int = 1_000
    channels: int = 500
    waiting: int = 1_000
    stuck_s: float = 5.0
    sweep_s: float = 1.0
    pause_s: float = 0.05


@dataclass(frozen=True, slots=True)
class Order:
    """What a client asked for; `again`: the state of all that it follows."""

    client: Subscriber
    subscribe: Sequence[Channel] = ()
    unsubscribe: Sequence[Channel] = ()
    again: bool = False

    @property
    def size(self) -> int:
        """How many channels it names."""
        return len(self.subscribe) + len(self.unsubscribe)

    @property
    def asked(self) -> Collection[Channel]:
        """The channels whose state it gets."""
        return self.client.channels if self.again else self.subscribe


@dataclass(slots=True)
class Pending:
    """What the next pass works on: the numbers of what changed by kind of channel, and orders."""

    changed: defaultdict[type[Channel], set[int]] = field(default_factory=lambda: defaultdict(set))
    orders: list[Order] = field(default_factory=list)


class Hub:
    """All clients of this process, and the feeds that they can follow."""

    def __init__(self, database: Database, feeds: Sequence[AnyFeed], options: HubOptions) -> None:
        self._database = database
        self._options = options
        self._feeds = {feed.kind: feed for feed in feeds}
        self._followers: dict[Channel, set[Subscriber]] = {}
        self._pending = Pending()
        self._wake = asyncio.Event()
        self._turns = 0
        self._outage = Outage(
            "changes cannot be sent to clients", "changes are sent to clients again"
        )
        self.clients: set[Subscriber] = set()
        self.traffic = Traffic()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Serve clients while the block runs."""
        async with (
            background(self._hear(), "hub"),
            background(self._work(), "hub"),
            background(self._sweep(), "hub"),
        ):
            yield

    @contextlib.contextmanager
    def joined(
        self, send: Callable[[str], Awaitable[None]], evict: Callable[[str], None]
    ) -> Iterator[Subscriber]:
        """A client while the block runs."""
        client = Subscriber(send, evict, self._restate, self.traffic, self._options.queue)
        self.clients.add(client)
        try:
            yield client
        finally:
            self.clients.discard(client)
            for channel in list(client.channels):
                self._leave(client, channel)

    def order(self, client: Subscriber, message: ClientMessage) -> None:
        """Do what a client asks for, soon; InvalidInputError when it is too much."""
        order = Order(client, message.subscribe, message.unsubscribe)
        if (
            client.waiting + order.size > self._options.waiting
            or client.queued > self._options.queue
        ):
            text = "message: earlier messages of this client are still being answered; read first"
            raise InvalidInputError(text, field="message")
        if len(client.channels.union(message.subscribe)) > self._options.channels:
            text = (
                f"subscribe: a client follows at most {self._options.channels} channels; "
                "open another connection"
            )
            raise InvalidInputError(text, field="subscribe")
        client.waiting += order.size
        self._add(order)

    def _restate(self, client: Subscriber) -> None:
        self._add(Order(client, again=True))

    def _add(self, order: Order) -> None:
        self._pending.orders.append(order)
        self._wake.set()

    async def _hear(self) -> None:
        with self._database.events.subscribed() as subscription:
            async for events in subscription:
                self._note(events)

    def _note(self, events: Iterable[Event]) -> None:
        for event in events:
            if isinstance(event, EventsLost):
                self._resync(_LOST)
            for kind, feed in self._feeds.items():
                changed = feed.changed_by(event)
                if changed is not None:
                    self._pending.changed[kind].add(changed)
        if self.clients:
            self._wake.set()
        else:
            self._pending = Pending()

    def _resync(self, message: str) -> None:
        for client in self.clients:
            client.resync(message)

    async def _work(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            pending, self._pending = self._pending, Pending()
            try:
                await self._pass(pending)
            except StoreUnavailableError as error:
                self._outage.began(error)
                self._put_back(pending)
                await asyncio.sleep(_RETRY_S)
            except Exception:  # noqa: BLE001 - no error leaves clients without the state
                _log.exception("a change could not be sent to clients")
                self._resync(_UNEXPECTED)
                for order in pending.orders:
                    self._done_with(order)
                    order.client.state([error_message(_FAILED)])
                await asyncio.sleep(_RETRY_S)
            await asyncio.sleep(self._options.pause_s)

    def _put_back(self, pending: Pending) -> None:
        for kind, changed in pending.changed.items():
            self._pending.changed[kind] |= changed
        self._pending.orders = pending.orders + self._pending.orders
        self._wake.set()

    async def _pass(self, pending: Pending) -> None:
        feeds = [feed for feed in self._feeds.values() if self._asks(feed, pending)]
        if feeds:
            await self._database.read(lambda connection: _read(feeds, connection))
            self._outage.ended()
            # All messages are made before the first is sent: an error sends none of them.
            for channels, message in [news for feed in feeds for news in feed.changes()]:
                await self._tell(channels, message)
        states: States = {}
        for order in pending.orders:
            await self._carry_out(order, states)

    @staticmethod
    def _asks(feed: AnyFeed, pending: Pending) -> bool:
        asked: dict[bool, set[Channel]] = {False: set(), True: set()}
        for order in pending.orders:
            asked[order.again] |= {one for one in order.asked if isinstance(one, feed.kind)}
        return feed.ask(pending.changed[feed.kind], asked[False], asked[True])

    async def _tell(self, channels: Collection[Channel], message: str) -> None:
        """Each client once, though it may follow several of the channels."""
        followers: set[Subscriber] = set().union(
            *(self._followers.get(channel, ()) for channel in channels)
        )
        for client in followers:
            client.put(message)
            await self._turn()

    async def _carry_out(self, order: Order, states: States) -> None:
        client = order.client
        self._done_with(order)
        ended = {channel.meaning for channel in order.unsubscribe}
        for channel in [known for known in client.channels if known.meaning in ended]:
            self._leave(client, channel)
        for channel in list(order.asked):
            await self._turn()
            if client not in self.clients:
                return
            try:
                state = self._state(channel, states, again=order.again)
            except InvalidInputError as error:
                client.state([error_message(error)])
                continue
            client.channels.add(channel)
            self._followers.setdefault(channel, set()).add(client)
            client.state(state)

    def _state(self, channel: Channel, states: States, *, again: bool) -> list[str]:
        """The first messages for a new follower; starts a channel that had no followers."""
        key = (channel, again)
        if key not in states or channel not in self._followers:
            states[key] = self._feeds[type(channel)].state(channel, again=again)
        return states[key]

    async def _turn(self) -> None:
        """Let others have their turn now and then."""
        self._turns += 1
        if self._turns % _IN_A_TURN == 0:
            await asyncio.sleep(0)

    @staticmethod
    def _done_with(order: Order) -> None:
        order.client.waiting -= order.size

    def _leave(self, client: Subscriber, channel: Channel) -> None:
        client.channels.discard(channel)
        followers = self._followers[channel]
        followers.discard(client)
        if followers:
            return
        del self._followers[channel]
        self._feeds[type(channel)].forget(channel)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(self._options.sweep_s)
            for client in [
                client
                for client in self.clients
                if client.sweep() * self._options.sweep_s > self._options.stuck_s
            ]:
                self.traffic.evictions += 1
                self.clients.discard(client)
                client.evict("this client does not read what it has subscribed to")


def _read(feeds: Iterable[AnyFeed], connection: Connection) -> None:
    """Read for all feeds in one transaction."""
    for feed in feeds:
        feed.read(connection)
