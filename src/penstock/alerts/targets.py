"""Alert targets as they are managed: an address is checked before it is kept, and a trial message sent on demand."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from penstock.alerts.book import trial_body
from penstock.errors import PenstockError

if TYPE_CHECKING:
    from penstock.alerts.book import Notifier, TargetRow, TargetStore


@dataclass(frozen=True, slots=True)
class Kept:
    """A target after a change; the key that signs its messages is only shown when it is new."""

    target: TargetRow
    signing_key: str | None = None


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of a trial message, in words."""

    delivered: bool
    detail: str


class AlertTargets:
    """The targets of this installation."""

    def __init__(self, store: TargetStore, notifier: Notifier) -> None:
        self._store = store
        self._notifier = notifier

    async def add(self, name: str, url: str, signing_key: str | None = None) -> Kept:
        """A new target; InvalidInputError for an address that nothing may be sent to, ConflictError for a name that is taken."""
        address = await self._notifier.address(url, signing_key)
        return Kept(await self._store.add(name, address), address.signing_key)

    async def change(
        self,
        target_id: int,
        *,
        name: str | None = None,
        url: str | None = None,
        enabled: bool | None = None,
    ) -> Kept:
        """Change what is given; another address is signed with a new key. Errors as for `add`, and NotFoundError."""
        address = None if url is None else await self._notifier.address(url)
        changed = await self._store.change(target_id, name=name, address=address, enabled=enabled)
        return Kept(changed, address.signing_key if address else None)

    async def remove(self, target_id: int) -> None:
        """Gone, with the messages that wait for it; NotFoundError."""
        await self._store.remove(target_id)

    async def try_out(self, target_id: int) -> Trial:
        """Send a trial message now; NotFoundError."""
        target = await self._store.in_the_clear(target_id)
        try:
            return Trial(
                delivered=True,
                detail=await self._notifier.send(target, trial_body(int(time.time() * 1000))),
            )
        except PenstockError as error:
            return Trial(delivered=False, detail=str(error))
