"""Sellers' accounts. Their tokens come in and never go out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter
from pydantic import Field, field_validator

from penstock.api.routes.parts import InventoryDep, StoreDep, StoreReader
from penstock.api.schemas.input import Id, Input, Name, not_null
from penstock.api.schemas.inventory.account import AccountShown
from penstock.api.schemas.problem import documented
from penstock.api.schemas.shape import Shape
from penstock.inventory.queries import accounts as queries
from penstock.name import LONGEST_NAME

if TYPE_CHECKING:
    from penstock.inventory.queries import Found

router = APIRouter(prefix="/api/v1/inventory/accounts", tags=["inventory"])

Token = Annotated[
    str,
    Field(
        min_length=1,
        max_length=8_192,
        description="of the seller's CardTrader settings; kept encrypted and never shown again",
        json_schema_extra={"format": "password", "writeOnly": True},
    ),
]
_NAME = f"1 to {LONGEST_NAME} characters; no other account has it"


class NewAccount(Input):
    """An account to add."""

    name: Name = Field(min_length=1, description=_NAME)
    token: Token


class AccountChange(Input):
    """What to change; what is not given stays."""

    name: Name | None = Field(None, min_length=1, description=_NAME)
    token: Token | None = None

    _not_null = field_validator("name", "token")(not_null("an account"))


class AccountPage(Shape):
    """All accounts by name, on one page."""

    items: list[AccountShown]
    next_cursor: None


@router.get("", responses=documented(503))
async def list_accounts(store: StoreDep) -> AccountPage:
    """The accounts, by name."""
    found = await store.read(queries.list_accounts)
    return AccountPage(items=[AccountShown.of(row) for row in found], next_cursor=None)


@router.post("", status_code=201, responses=documented(409, 422, 503))
async def add_account(inventory: InventoryDep, store: StoreDep, new: NewAccount) -> AccountShown:
    """Add an account, once the marketplace has said whose token it is."""
    account_id = await inventory.accounts.add(new.name, new.token)
    return AccountShown.of(await account_row(store, account_id))


@router.get("/{account_id}", responses=documented(404, 422, 503))
async def get_account(store: StoreDep, account_id: Id) -> AccountShown:
    """One account."""
    return AccountShown.of(await account_row(store, account_id))


@router.put("/{account_id}", responses=documented(404, 409, 422, 503))
async def change_account(
    inventory: InventoryDep, store: StoreDep, account_id: Id, changes: AccountChange
) -> AccountShown:
    """Give an account another name, or another token of the same seller."""
    await inventory.accounts.change(account_id, name=changes.name, token=changes.token)
    return AccountShown.of(await account_row(store, account_id))


@router.delete("/{account_id}", status_code=204, responses=documented(404, 409, 422, 503))
async def remove_account(inventory: InventoryDep, account_id: Id) -> None:
    """Delete an account and all that is known of its products; 409 while a sync is active."""
    await inventory.accounts.delete(account_id)


async def account_row(store: StoreReader, account_id: int) -> Found:
    """The row of an account; NotFoundError when there is none."""
    return await store.one(
        lambda connection: queries.one_account(connection, account_id),
        f"account: there is no account {account_id}; GET /api/v1/inventory/accounts lists them",
    )
