"""The port to a marketplace: a seller's account, and the catalogue that it refers to.

It knows no SQL and no run. The structs take the fields that they name and ignore the rest. Ids are
CardTrader's.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import msgspec

from penstock.http.client import HttpLimits
from penstock.http.download import DownloadLimits
from penstock.http.governor import Budget, LocalBudget
from penstock.inventory.product import Id

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence


# The marketplace: the exchange of inventory configs and of their rows in the execution log.
MARKETPLACE = "cardtrader"


class Seller(msgspec.Struct, frozen=True, kw_only=True):
    """The owner of a token; `name` is that of its application. The webhook's secret is not read."""

    id: Id
    name: str
    user_id: Id


class Game(msgspec.Struct, frozen=True, kw_only=True):
    """A game."""

    id: Id
    name: str
    display_name: str | None = None


class Property(msgspec.Struct, frozen=True, kw_only=True):
    """A property of the products of a category, such as the condition.

    Without possible values it is any text.
    """

    name: str
    type: str = "string"
    possible_values: tuple[str | bool | int | float | None, ...] = ()


class Category(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of goods of a game."""

    id: Id
    name: str
    game_id: Id
    properties: tuple[Property, ...] = ()


class Expansion(msgspec.Struct, frozen=True, kw_only=True):
    """An expansion of a game; the code may be empty."""

    id: Id
    game_id: Id
    code: str = ""
    name: str = ""


class Blueprint(msgspec.Struct, frozen=True, kw_only=True):
    """What products are examples of; some belong to no expansion.

    Older answers have one `card_market_id`, newer ones a list. Ids of other shops are numbers, text
    or null.
    """

    id: Id
    name: str = ""
    game_id: Id
    category_id: Id
    expansion_id: Id | None = None
    version: str | None = None
    fixed_properties: msgspec.Raw = msgspec.Raw(b"{}")
    card_market_ids: tuple[Id, ...] | None = None
    card_market_id: Id | None = None
    tcg_player_id: Id | None = None
    scryfall_id: str | None = None
    image_url: str | None = None

    @property
    def cardmarket_ids(self) -> tuple[int, ...]:
        """Cardmarket's ids, in either form."""
        one = () if self.card_market_id is None else (self.card_market_id,)
        return self.card_market_ids or one


class ExportBody(Protocol):
    """An export as it arrives; `length` is its size on the wire if known, `received` what came."""

    gzip: bool
    length: int | None
    received: int

    def blocks(self) -> AsyncGenerator[bytes]:
        """The body; SourceUnavailableError if it ends early."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InventorySourceConfig:
    """What a source is made of; an entry point of `penstock.inventory_sources` is called with one.

    `base_url` None means the provider's own address. `budget` gives the budget of a name, with
    windows of so many seconds; all processes that ask for the name share it.
    """

    base_url: str | None = None
    http: HttpLimits = field(default_factory=HttpLimits)
    export: DownloadLimits = field(default_factory=DownloadLimits)
    budget: Callable[[str, int], Budget] = lambda _name, window_s: LocalBudget(window_s=window_s)


class SellerAccount(AbstractAsyncContextManager["SellerAccount"], Protocol):
    """A seller's account at the provider, with its connections open in a block.

    All methods raise RetryableError or SourceRefusedError of `penstock.errors`, after their own
    retries.
    """

    async def seller(self) -> Seller:
        """The owner of the token; SourceRefusedError if the token is not valid."""

    async def games(self) -> Sequence[Game]:
        """All games."""

    async def categories(self, game_id: int | None = None) -> Sequence[Category]:
        """All categories, or those of a game."""

    async def expansions(self, *, stocked: bool = False) -> Sequence[Expansion]:
        """All expansions; with `stocked`, those in which the seller has products."""

    async def blueprints(self, expansion_id: int | None) -> Sequence[Blueprint]:
        """All blueprints of an expansion; None: those without one."""

    def export(self) -> AbstractAsyncContextManager[ExportBody]:
        """All products of the seller."""


class InventorySource(Protocol):
    """A marketplace."""

    def account(self, token: str) -> SellerAccount:
        """The account of a token; InvalidInputError for text that cannot be one."""
