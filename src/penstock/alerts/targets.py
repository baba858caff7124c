"""Manages alert targets: checks an address before storing it, sends test messages on demand."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from penstock.alerts.book import trial_body
from penstock.errors import PenstockError

if TYPE_CHECKING:
    from penstock.alerts.book import Notifier, TargetRow, TargetStore


@dataclass(frozen=True, slots=True)
class SavedTarget:
    """A stored target; `signing_key` only when it is new."""

    target: TargetRow
    signing_key: str | None = None


@dataclass(frozen=True, slots=True)
class Trial:
    """The result of a test message, in words."""

    delivered: bool
    detail: str


class AlertTargets:
    """The targets of this installation."""

    def __init__(self, store: TargetStore, notifier: Notifier) -> None:
        self._store = store
        self._notifier = notifier

    async def add(self, name: str, url: str, signing_key: str | None = None) -> SavedTarget:
        """Add a target; InvalidInputError for a refused address, ConflictError for a taken name."""
        address = await self._notifier.address(url, signing_key)
        return SavedTarget(await self._store.add(name, address), address.signing_key)

    async def change(
        self,
        target_id: int,
        *,
        name: str | None = None,
        url: str | None = None,
        enabled: bool | None = None,
    ) -> SavedTarget:
        """Change the given fields; a new address gets a new key. Errors of `add`, NotFoundError."""
        address = None if url is None else await self._notifier.address(url)
        changed = await self._store.change(target_id, name=name, address=address, enabled=enabled)
        return SavedTarget(changed, address.signing_key if address else None)

    async def remove(self, target_id: int) -> None:
        """Remove a target and its pending messages; NotFoundError."""
        await self._store.remove(target_id)

    async def try_out(self, target_id: int) -> Trial:
        """Send a test message now; NotFoundError."""
        target = await self._store.secrets_of(target_id)
        try:
            return Trial(
                delivered=True,
                detail=await self._notifier.send(target, trial_body(int(time.time() * 1000))),
            )
        except PenstockError as error:
            return Trial(delivered=False, detail=str(error))
