"""The protocol of a feed: all that the hub knows of what its clients follow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, Protocol, TypeAlias, TypeVar

from penstock.api.live.feeds.channels import Channel
from penstock.runs.events import RunChanged

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from sqlalchemy import Connection

    from penstock.runs.events import Event

C = TypeVar("C", bound=Channel)

# A message, and the channels whose followers get it.
News: TypeAlias = "tuple[Collection[Channel], str]"


class RunFeed(Generic[C]):
    """What the feeds of runs have in common: each step of a run is sent once."""

    def __init__(self) -> None:
        self._channels: set[C] = set()
        self._sent: dict[int, str] = {}
        self._changed: set[int] = set()

    def changed_by(self, event: Event) -> int | None:
        """The number of a run."""
        return event.run_id if isinstance(event, RunChanged) else None

    def _take(self, changed: Collection[int]) -> None:
        """Read the runs that changed, if they have followers."""
        self._changed = {*changed} if self._channels else set()
        if not self._channels:
            self._sent.clear()

    def forget(self, channel: C) -> None:
        """Stop following a run, or all."""
        self._channels.discard(channel)


class Feed(Protocol[C]):
    """Tells the followers of one kind of channel what they do not know yet.

    Each pass of the hub calls `ask` and, when that wants it, `read` and `changes`, then `state`.
    Only `read` is called in another thread, and nothing else of the feed meanwhile but `forget`.
    """

    @property
    def kind(self) -> type[C]:
        """The kind of its channels."""

    def changed_by(self, event: Event) -> int | None:
        """The number of what an event changed; None when that is nothing of this feed."""

    def ask(self, changed: Collection[int], fresh: Collection[C], again: Collection[C]) -> bool:
        """Whether to read, and what: changes, and the state for new and for returning followers.

        Returning ones may have missed something.
        """

    def read(self, connection: Connection) -> None:
        """Read what was asked for."""

    def changes(self) -> Iterator[News]:
        """What is new in what was read."""

    def state(self, channel: C, *, again: bool) -> list[str]:
        """Follow a channel; gives the messages that its new follower gets first.

        InvalidInputError when there is no such channel.
        """

    def forget(self, channel: C) -> None:
        """Stop following a channel: it has no follower any more."""
