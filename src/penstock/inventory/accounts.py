"""Sellers' accounts as users change them: tokens are checked at the marketplace."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from penstock.errors import InvalidInputError, SourceRefusedError, SourceUnavailableError
from penstock.name import checked_name

if TYPE_CHECKING:
    from penstock.inventory.source import InventorySource

# A user waits for the answer, and the source's own retries could take minutes.
_DEADLINE_S = 30.0


class AccountStore(Protocol):
    """Where accounts are kept with sealed tokens.

    NotFoundError for an unknown id, ConflictError for a second account of the same name.
    """

    async def add(self, name: str, token: str, user_id: int) -> int:
        """Add an account; gives its id."""

    async def change(
        self, account_id: int, *, name: str | None = None, token: str | None = None
    ) -> None:
        """Change the name or the token."""

    async def delete(self, account_id: int) -> None:
        """Delete an account and its products; ConflictError while something needs it."""

    async def seller(self, account_id: int) -> int:
        """The account's seller at the marketplace.

        Does not open the token, so that a new one can replace one that cannot be opened.
        """


@dataclass(frozen=True, slots=True)
class SellerAccounts:
    """Adds, changes and deletes accounts; InvalidInputError names the field, and writes nothing."""

    source: InventorySource
    store: AccountStore

    async def add(self, name: str, token: str) -> int:
        """Add an account with a token that the marketplace accepts; gives its id."""
        name = checked_name(name)
        return await self.store.add(name, token, await self._seller_of(token))

    async def change(
        self, account_id: int, *, name: str | None = None, token: str | None = None
    ) -> None:
        """Change the name, or the token to another one of the same seller."""
        if name is not None:
            name = checked_name(name)
        seller = await self.store.seller(account_id)
        if token is not None and await self._seller_of(token) != seller:
            raise InvalidInputError(
                "token: this one belongs to another seller;"
                " add an account for that seller, or give a token of this one",
                field="token",
            )
        await self.store.change(account_id, name=name, token=token)

    async def delete(self, account_id: int) -> None:
        """Delete an account and its products."""
        await self.store.delete(account_id)

    async def _seller_of(self, token: str) -> int:
        try:
            async with asyncio.timeout(_DEADLINE_S), self.source.account(token) as account:
                return (await account.seller()).user_id
        except SourceRefusedError:
            # The marketplace's own message may repeat the token.
            raise InvalidInputError(
                "token: the marketplace refuses it;"
                " copy the whole token from your CardTrader settings",
                field="token",
            ) from None
        except TimeoutError as error:
            raise SourceUnavailableError(
                f"the marketplace did not answer within {_DEADLINE_S:g} s whose token this is;"
                " try again"
            ) from error
