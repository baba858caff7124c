"""The feed of configs: only that they changed, since a client shows one page of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.api.live.feeds.channels import ConfigsChannel
from penstock.api.live.feeds.messages import message
from penstock.runs.events import ConfigsChanged

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from sqlalchemy import Connection

    from penstock.api.live.feeds.protocol import News
    from penstock.runs.events import Event

# Any change concerns all configs.
_ALL = 0
_CHANGED = message("configs", {"changed": True})


class ConfigFeed:
    """One message for each change, and none before."""

    kind = ConfigsChannel

    def __init__(self) -> None:
        self._followed = self._changed = False

    def changed_by(self, event: Event) -> int | None:
        """The same number for every change."""
        return _ALL if isinstance(event, ConfigsChanged) else None

    def ask(
        self,
        changed: Collection[int],
        fresh: Collection[ConfigsChannel],  # noqa: ARG002 - they get nothing first
        again: Collection[ConfigsChannel],  # noqa: ARG002 - nor do these
    ) -> bool:
        """Tell of a change to those who follow."""
        self._changed = bool(changed) and self._followed
        return self._changed

    def read(self, connection: Connection) -> None:
        """Nothing: the message says all."""

    def changes(self) -> Iterator[News]:
        """The change, once."""
        if self._changed:
            yield {ConfigsChannel()}, _CHANGED

    def state(
        self,
        channel: ConfigsChannel,  # noqa: ARG002 - there is only one
        *,
        again: bool,  # noqa: ARG002 - a resync says to read again
    ) -> list[str]:
        """Follow the configs."""
        self._followed = True
        return []

    def forget(self, channel: ConfigsChannel) -> None:  # noqa: ARG002 - there is only one
        """Stop following the configs."""
        self._followed = False
