"""The sellers of a simulator, by their tokens."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from penstock.errors import InvalidInputError, NotFoundError
from penstock.simulator.cardtrader.inventory import MOST_PRODUCTS, SellerInventory, SimulatedSeller

if TYPE_CHECKING:
    from collections.abc import Iterable

    from penstock.simulator.cardtrader.catalogue import Catalogue

_FIRST_USER = 1001


def parse_accounts(texts: Iterable[str], products: int) -> list[SimulatedSeller]:
    """Accounts written `TOKEN`, which have `products`, or `TOKEN:PRODUCTS`.

    Raises InvalidInputError.
    """
    accounts = [_parse(text, _FIRST_USER + number, products) for number, text in enumerate(texts)]
    tokens = [account.token for account in accounts]
    if twice := [token for token in tokens if tokens.count(token) > 1]:
        msg = f"account: {twice[0]!r} is there twice; give each account a token of its own"
        raise InvalidInputError(msg, field="account")
    return accounts


def _parse(text: str, user_id: int, products: int) -> SimulatedSeller:
    token, colon, count = text.partition(":")
    if not re.fullmatch(r"[\w.-]{1,200}", token, re.ASCII) or (colon and not count.isdecimal()):
        msg = (
            f"account: {text!r} is not TOKEN or TOKEN:PRODUCTS, such as demo:5000; "
            "a token has letters, digits, dots, dashes"
        )
        raise InvalidInputError(msg, field="account")
    return SimulatedSeller(token, user_id, check_products(int(count) if colon else products))


def check_products(products: int) -> int:
    """The number if an account can have as many products, or InvalidInputError."""
    if not 0 <= products <= MOST_PRODUCTS:
        msg = f"products: {products} is not between 0 and {MOST_PRODUCTS}"
        raise InvalidInputError(msg, field="products")
    return products


class Sellers:
    """The inventory of each account by its token."""

    def __init__(self, catalogue: Catalogue, accounts: Iterable[SimulatedSeller]) -> None:
        self.all = {account.token: SellerInventory(catalogue, account) for account in accounts}

    def of(self, authorization: str | None) -> SellerInventory | None:
        """The inventory whose token the header has, if any."""
        scheme, _, token = (authorization or "").partition(" ")
        return self.all.get(token) if scheme == "Bearer" else None

    def find(self, token: str) -> SellerInventory:
        """The inventory of a token, or NotFoundError."""
        if token not in self.all:
            msg = f"account: there is no account {token!r}; there are {', '.join(self.all)}"
            raise NotFoundError(msg)
        return self.all[token]
