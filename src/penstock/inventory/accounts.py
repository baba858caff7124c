"""Sellers' accounts as users change them: what they give is checked here, its token at the marketplace; `penstock.store` keeps it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from penstock.errors import InvalidInputError, SourceRefusedError, SourceUnavailableError
from penstock.name import checked_name

if TYPE_CHECKING:
    from penstock.inventory.source import InventorySource

# Somebody waits for the answer; the source's own retries could take minutes.
_DEADLINE_S = 30.0


class AccountStore(Protocol):
    """Where accounts are kept, each with its token sealed. NotFoundError for an id that is not there, ConflictError for a second one of a name."""

    async def add(self, name: str, token: str, user_id: int) -> int:
        """The id of a new account."""

    async def change(
        self, account_id: int, *, name: str | None = None, token: str | None = None
    ) -> None:
        """Another name or token."""

    async def delete(self, account_id: int) -> None:
        """The account and all that is known of its products; ConflictError while something needs it."""

    async def seller(self, account_id: int) -> int:
        """The number of its seller at the marketplace; the token is not opened for it, so that a new one can replace one that cannot be."""


class Accounts:
    """Adds, changes and deletes accounts. InvalidInputError names the field that is wrong, and then nothing is written."""

    def __init__(self, source: InventorySource, store: AccountStore) -> None:
        self._source = source
        self._store = store

    async def add(self, name: str, token: str) -> int:
        """The id of a new account whose token the marketplace knows."""
        name = checked_name(name)
        return await self._store.add(name, token, await self._seller_of(token))

    async def change(
        self, account_id: int, *, name: str | None = None, token: str | None = None
    ) -> None:
        """Another name, or another token of the same seller; what is not given stays."""
        if name is not None:
            name = checked_name(name)
        seller = await self._store.seller(account_id)
        if token is not None and await self._seller_of(token) != seller:
            message = "token: this one is of another seller; add an account for that seller, or give a token of this one"
            raise InvalidInputError(message, field="token")
        await self._store.change(account_id, name=name, token=token)

    async def delete(self, account_id: int) -> None:
        """The account and all that is known of its products."""
        await self._store.delete(account_id)

    async def _seller_of(self, token: str) -> int:
        try:
            async with asyncio.timeout(_DEADLINE_S), self._source.account(token) as account:
                return (await account.seller()).user_id
        except SourceRefusedError:
            # What the marketplace says may repeat the token.
            message = "token: the marketplace refuses this token; copy the whole one from your CardTrader settings"
            raise InvalidInputError(message, field="token") from None
        except TimeoutError as error:
            message = f"the marketplace did not say within {_DEADLINE_S:g} s whose token this is; try again"
            raise SourceUnavailableError(message) from error
