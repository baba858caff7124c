"""Events: something in the database has changed. They carry a kind and ids: re-read the state."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

_MOST_PENDING = 10_000


@dataclass(frozen=True, slots=True)
class RunChanged:
    """A run was submitted, started, came further or ended."""

    run_id: int


@dataclass(frozen=True, slots=True)
class QueueChanged:
    """A run may be ready to start: one was queued, or one has ended that others wait for."""


@dataclass(frozen=True, slots=True)
class CancelAsked:
    """Whoever works on this run is to stop."""

    run_id: int


@dataclass(frozen=True, slots=True)
class RowsStored:
    """Rows were written to a table, of that part of it which has this id, such as a series."""

    table: str
    part_id: int


@dataclass(frozen=True, slots=True)
class ProviderPaused:
    """A provider told one process to wait, which voids earlier grants in all processes."""


@dataclass(frozen=True, slots=True)
class PauseLifted:
    """A user has ended the pause of a provider."""

    provider: str


@dataclass(frozen=True, slots=True)
class AlertsChanged:
    """An alert fires, says something else, or is resolved."""


@dataclass(frozen=True, slots=True)
class ConfigsChanged:
    """Configs were added, changed or deleted."""


@dataclass(frozen=True, slots=True)
class EventsLost:
    """Events may have been missed (a lost connection, a slow subscriber): re-read everything."""


Event = (
    RunChanged
    | QueueChanged
    | CancelAsked
    | RowsStored
    | ProviderPaused
    | PauseLifted
    | AlertsChanged
    | ConfigsChanged
    | EventsLost
)


class Events:
    """Hands each event to every subscriber of this process. Publishing never waits."""

    def __init__(self) -> None:
        self._subscriptions: set[Subscription] = set()

    def publish(self, *events: Event) -> None:
        """Tell all subscribers; call it on the event loop. Without events it wakes none."""
        if events:
            for subscription in self._subscriptions:
                subscription.add(events)

    @contextlib.contextmanager
    def subscribed(self) -> Iterator[Subscription]:
        """A subscription while the block runs."""
        subscription = Subscription()
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)


class Subscription:
    """The events of one subscriber.

    An event that is still unread is not kept twice, so a slow reader has no backlog.
    """

    def __init__(self) -> None:
        self._pending: dict[Event, None] = {}
        self._arrived = asyncio.Event()

    def add(self, events: tuple[Event, ...]) -> None:
        """More events."""
        self._pending.update(dict.fromkeys(events))
        if len(self._pending) > _MOST_PENDING:
            self._pending = {EventsLost(): None}
        self._arrived.set()

    async def __aiter__(self) -> AsyncIterator[list[Event]]:
        """What has come since the last look, in order, as soon as there is something."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            pending, self._pending = list(self._pending), {}
            yield pending
