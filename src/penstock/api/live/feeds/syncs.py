"""The feed of syncs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.api.live.feeds.channels import InventoryChannel
from penstock.api.live.feeds.messages import message
from penstock.api.live.feeds.protocol import RunFeed
from penstock.api.schemas.inventory.sync import Sync
from penstock.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from sqlalchemy import Connection

    from penstock.api.live.feeds.protocol import News
    from penstock.inventory.queries.syncs import SyncQueries, SyncRun

_MOST_ACCOUNTS = 200


class SyncFeed(RunFeed[InventoryChannel]):
    """Each step of a sync is sent once."""

    kind = InventoryChannel

    def __init__(self, syncs: SyncQueries) -> None:
        super().__init__()
        self._syncs = syncs
        # What to read: syncs by run, and the newest ones of accounts.
        self._accounts: set[int] = set()
        self._every = False
        self._seen: Sequence[SyncRun] = ()
        self._newest: Mapping[int, SyncRun | None] = {}

    def ask(
        self,
        changed: Collection[int],
        fresh: Collection[InventoryChannel],
        again: Collection[InventoryChannel],
    ) -> bool:
        """Read what changed, and the newest sync of each account that is asked for."""
        self._take(changed)
        asked = {*fresh, *again}
        self._every = InventoryChannel() in asked
        self._accounts = {channel.account_id for channel in asked if channel.account_id is not None}
        return bool(self._changed or self._accounts or self._every)

    def read(self, connection: Connection) -> None:
        """Read syncs."""
        self._seen = self._syncs.of_runs(connection, self._changed) if self._changed else ()
        self._newest = self._syncs.newest_of(
            connection, self._accounts, every=self._every, most=_MOST_ACCOUNTS
        )

    def changes(self) -> Iterator[News]:
        """The steps that were not sent yet."""
        for sync in self._seen:
            text = _message(sync)
            if self._sent.get(sync.account_id) != text:
                self._sent[sync.account_id] = text
                yield {InventoryChannel(), InventoryChannel(account_id=sync.account_id)}, text

    def state(
        self,
        channel: InventoryChannel,
        *,
        again: bool,  # noqa: ARG002 - the same for both
    ) -> list[str]:
        """Follow an account, or all; gives the newest sync of each."""
        account_id = channel.account_id
        if account_id is not None and account_id not in self._newest:
            text = f"account_id: there is no account {account_id}"
            raise InvalidInputError(text, field="account_id")
        self._channels.add(channel)
        newest = self._newest.values() if account_id is None else [self._newest[account_id]]
        return [_message(sync) for sync in newest if sync is not None]


def _message(sync: SyncRun) -> str:
    return message("inventory", Sync.of(sync))
