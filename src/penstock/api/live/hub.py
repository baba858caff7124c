"""The hub: hears what changed, reads the new state once for all clients, and tells those who follow it.

One loop does everything in passes, so a client's messages are in the order in which the database was read, also at its first subscription.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import structlog

from penstock.api.live.channels import (
    Alerts,
    Inventory,
    MarketData,
    Tasks,
    error_message,
    resync_message,
    same_series,
)
from penstock.api.live.client import Client, Traffic
from penstock.api.live.feeds import AlertFeed, InventoryFeed, Seen, SeriesFeed, TaskFeed, Wanted
from penstock.domains.inventory import InventoryParts
from penstock.domains.market import MarketParts
from penstock.errors import InvalidInputError, PenstockError, StoreUnavailableError
from penstock.runs.events import AlertsChanged, EventsLost, RowsStored, RunChanged

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

    from penstock.api.live.channels import ClientMessage, Subscribable
    from penstock.app import App
    from penstock.runs.events import Event

_LOST = resync_message(
    "changes may have been missed, for the database was out of reach; the present state follows"
)
_UNEXPECTED = resync_message(
    "changes may have been missed by an error of the service; the present state follows"
)
_FAILED = PenstockError(
    "an error that nobody expected; the log of the service has it. Subscribe again"
)
# A thousand sends in one turn of the event loop stall everything else for 60 to 130 ms.
_IN_A_TURN = 64
_RETRY_S = 1.0

C = TypeVar("C", MarketData, Tasks, Inventory)

_log: structlog.stdlib.BoundLogger = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class HubOptions:
    """`queue`: messages that wait for one client; `pause_s`: between two looks at the database.

    `stuck_s`: how long one message may wait, counted by the sweeps that see it, one every `sweep_s`.
    """

    queue: int = 1_000
    channels: int = 500
    orders: int = 20
    stuck_s: float = 5.0
    sweep_s: float = 1.0
    pause_s: float = 0.05


@dataclass(frozen=True, slots=True)
class Order:
    """What a client asked for; `again`: the state of all that it follows."""

    client: Client
    subscribe: Sequence[Subscribable] = ()
    unsubscribe: Sequence[Subscribable] = ()
    again: bool = False

    @property
    def asked(self) -> Collection[Subscribable]:
        """The channels whose state it gets."""
        return self.client.channels if self.again else self.subscribe


@dataclass(slots=True)
class Changed:
    """What changed since the last pass."""

    series: set[int] = field(default_factory=set)
    runs: set[int] = field(default_factory=set)
    alerts: bool = False
    orders: list[Order] = field(default_factory=list)


class States:
    """What new followers of a channel get first; a thousand that come together share it."""

    def __init__(
        self,
        series: SeriesFeed,
        tasks: TaskFeed,
        inventory: InventoryFeed,
        alerts: AlertFeed,
        seen: Seen,
    ) -> None:
        self._series = series
        self._tasks = tasks
        self._inventory = inventory
        self._alerts = alerts
        self._seen = seen
        self._made: dict[tuple[Subscribable, bool], list[str]] = {}

    def of(self, channel: Subscribable, *, again: bool, followed: bool) -> list[str]:
        """Also lets the feeds follow a channel that is not yet `followed`; InvalidInputError for one that cannot be."""
        key = (channel, again)
        if key not in self._made or not followed:
            self._made[key] = self._make(channel, again=again)
        return self._made[key]

    def _make(self, channel: Subscribable, *, again: bool) -> list[str]:
        match channel:
            case MarketData():
                return self._series.state(channel, self._seen)
            case Tasks():
                return self._tasks.state(channel, self._seen, again=again)
            case Inventory():
                return self._inventory.state(channel, self._seen)
            case Alerts():
                return self._alerts.state(self._seen)


class Hub:
    """All clients of this process."""

    def __init__(self, app: App, options: HubOptions) -> None:
        self._database = app.database
        self._options = options
        self._runs = app.runs
        self._syncs = app.of(InventoryParts).syncs
        self._series = SeriesFeed(app.of(MarketParts).runs.configured.exchange)
        self._tasks = TaskFeed()
        self._inventory = InventoryFeed()
        self._alerts = AlertFeed()
        self._followers: dict[Subscribable, set[Client]] = {}
        self._changed = Changed()
        self._wake = asyncio.Event()
        self._reachable = True
        self.clients: set[Client] = set()
        self.traffic = Traffic()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Serve clients while the block runs."""
        tasks = [
            asyncio.create_task(work, name="hub")
            for work in (self._hear(), self._work(), self._sweep())
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    @contextlib.contextmanager
    def joined(
        self, send: Callable[[str], Awaitable[None]], evict: Callable[[str], None]
    ) -> Iterator[Client]:
        """A client while the block runs."""
        client = Client(send, evict, self._restate, self.traffic, self._options.queue)
        self.clients.add(client)
        try:
            yield client
        finally:
            self.clients.discard(client)
            for channel in list(client.channels):
                self._leave(client, channel)

    def order(self, client: Client, message: ClientMessage) -> None:
        """Do what a client asks for, soon; InvalidInputError when it is too much."""
        if client.waiting >= self._options.orders:
            text = f"message: {client.waiting} messages of this client are still being worked on; wait for the state that they bring"
            raise InvalidInputError(text, field="message")
        if len(client.channels.union(message.subscribe)) > self._options.channels:
            text = f"subscribe: a client follows at most {self._options.channels} channels; open another connection"
            raise InvalidInputError(text, field="subscribe")
        client.waiting += 1
        self._add(Order(client, message.subscribe, message.unsubscribe))

    def _restate(self, client: Client) -> None:
        self._add(Order(client, again=True))

    def _add(self, order: Order) -> None:
        self._changed.orders.append(order)
        self._wake.set()

    async def _hear(self) -> None:
        with self._database.events.subscribed() as subscription:
            async for events in subscription:
                self._note(events)

    def _note(self, events: Iterable[Event]) -> None:
        for event in events:
            match event:
                case RowsStored("candle", series_id):
                    self._changed.series.add(series_id)
                case RunChanged(run_id):
                    self._changed.runs.add(run_id)
                case AlertsChanged():
                    self._changed.alerts = True
                case EventsLost():
                    self._resync(_LOST)
        if self.clients:
            self._wake.set()
        else:
            self._changed = Changed()

    def _resync(self, message: str) -> None:
        for client in self.clients:
            client.resync(message)

    async def _work(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            changed, self._changed = self._changed, Changed()
            try:
                await self._pass(changed)
            except StoreUnavailableError as error:
                self._put_back(changed, error)
                await asyncio.sleep(_RETRY_S)
            except Exception:  # noqa: BLE001 - whatever it was, nobody is left without the state for it
                _log.exception("clients could not be told of a change")
                self._resync(_UNEXPECTED)
                for order in changed.orders:
                    self._done_with(order)
                    order.client.state([error_message(_FAILED)])
                await asyncio.sleep(_RETRY_S)
            await asyncio.sleep(self._options.pause_s)

    def _put_back(self, changed: Changed, error: StoreUnavailableError) -> None:
        if self._reachable:
            _log.warning("clients cannot be told of changes", error=str(error))
        self._reachable = False
        self._changed.series |= changed.series
        self._changed.runs |= changed.runs
        self._changed.alerts |= changed.alerts
        self._changed.orders = changed.orders + self._changed.orders
        self._wake.set()

    async def _pass(self, changed: Changed) -> None:
        fresh = {channel for order in changed.orders if not order.again for channel in order.asked}
        again = {channel for order in changed.orders if order.again for channel in order.asked}
        wanted = Wanted()
        self._series.ask(wanted, changed.series, _of(MarketData, fresh | again))
        self._tasks.ask(wanted, changed.runs, _of(Tasks, fresh), _of(Tasks, again))
        self._inventory.ask(wanted, changed.runs, _of(Inventory, fresh | again))
        self._alerts.ask(wanted, changed=changed.alerts, asked=Alerts() in fresh | again)
        seen = Seen()
        if wanted:
            seen = await wanted.read(self._database, self._runs, self._syncs)
            self._reachable = True
            messages: list[tuple[Collection[Subscribable], str]] = [
                *self._series.changes(seen),
                *self._tasks.changes(seen),
                *self._inventory.changes(seen),
                *self._alerts.changes(seen),
            ]
            for channels, message in messages:
                await self._tell(channels, message)
        states = States(self._series, self._tasks, self._inventory, self._alerts, seen)
        for place, order in enumerate(changed.orders, start=1):
            self._carry_out(order, states)
            if place % _IN_A_TURN == 0:
                await asyncio.sleep(0)

    async def _tell(self, channels: Collection[Subscribable], message: str) -> None:
        """Each client once, though it may follow several of the channels."""
        followers: set[Client] = set().union(
            *(self._followers.get(channel, ()) for channel in channels)
        )
        for place, client in enumerate(followers, start=1):
            client.put(message)
            if place % _IN_A_TURN == 0:
                await asyncio.sleep(0)

    def _carry_out(self, order: Order, states: States) -> None:
        client = order.client
        if client not in self.clients:
            return
        self._done_with(order)
        for channel in order.unsubscribe:
            for meant in [one for one in client.channels if _same(channel, one)]:
                self._leave(client, meant)
        for channel in list(order.asked):
            try:
                state = states.of(channel, again=order.again, followed=channel in self._followers)
            except InvalidInputError as error:
                client.state([error_message(error)])
                continue
            client.channels.add(channel)
            self._followers.setdefault(channel, set()).add(client)
            client.state(state)

    @staticmethod
    def _done_with(order: Order) -> None:
        if not order.again:
            order.client.waiting -= 1

    def _leave(self, client: Client, channel: Subscribable) -> None:
        client.channels.discard(channel)
        followers = self._followers[channel]
        followers.discard(client)
        if followers:
            return
        del self._followers[channel]
        match channel:
            case MarketData():
                self._series.forget(channel)
            case Tasks():
                self._tasks.forget(channel)
            case Inventory():
                self._inventory.forget(channel)
            case Alerts():
                self._alerts.forget()

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


def _of(kind: type[C], channels: Collection[Subscribable]) -> set[C]:
    return {channel for channel in channels if isinstance(channel, kind)}


def _same(one: Subscribable, other: Subscribable) -> bool:
    if isinstance(one, MarketData) and isinstance(other, MarketData):
        return same_series(one, other)
    return one == other
