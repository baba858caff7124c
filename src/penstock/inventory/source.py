"""What an inventory source gives: a seller's account and the catalogue it refers to. It knows no SQL, no run, no web.

The structs take what they name and ignore the rest. Ids are CardTrader's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, Self

import msgspec

from penstock.http.client import HttpLimits
from penstock.http.download import DownloadLimits
from penstock.http.governor import Budget, LocalBudget
from penstock.inventory.product import Id

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence
    from contextlib import AbstractAsyncContextManager
    from types import TracebackType


# Where inventories are: the exchange of their configs and of their rows in the execution log.
MARKETPLACE = "cardtrader"


class Seller(msgspec.Struct, frozen=True, kw_only=True):
    """Whose token it is; `name` is that of the application it was made for. The webhook's secret is not read."""

    id: Id
    name: str
    user_id: Id


class Game(msgspec.Struct, frozen=True, kw_only=True):
    """A game."""

    id: Id
    name: str
    display_name: str | None = None


class Property(msgspec.Struct, frozen=True, kw_only=True):
    """What the products of a category can be asked for, such as the condition; no possible values: any text."""

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
    """An expansion of a game; the code is empty where it has none."""

    id: Id
    game_id: Id
    code: str = ""
    name: str = ""


class Blueprint(msgspec.Struct, frozen=True, kw_only=True):
    """What products are examples of; some belong to no expansion. Earlier answers had one `card_market_id`, later ones have a list.

    Ids of other shops come as numbers, as text or as null.
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
        """Cardmarket's ids, in whichever form they came."""
        return self.card_market_ids or (
            () if self.card_market_id is None else (self.card_market_id,)
        )


class ExportBody(Protocol):
    """An export that is coming: `gzip` says whether compressed, `length` is its size on the wire if that is known, both as it comes."""

    gzip: bool
    length: int | None
    received: int

    def blocks(self) -> AsyncGenerator[bytes]:
        """The body as it comes; SourceUnavailableError when it does not come to its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InventorySourceConfig:
    """What a source is made of: the entry point of group `penstock.inventory_sources` is called with one and gives an InventorySource.

    `base_url` None is the provider's own address. `budget` gives the budget of a name, with windows of so many seconds, which is shared with the
    other processes that ask for the same name.
    """

    base_url: str | None = None
    http: HttpLimits = field(default_factory=HttpLimits)
    export: DownloadLimits = field(default_factory=DownloadLimits)
    budget: Callable[[str, int], Budget] = lambda _name, window_s: LocalBudget(window_s=window_s)


class SellerAccount(Protocol):
    """A seller's account at the provider. All methods raise RetryableError or SourceRefusedError of `penstock.errors`, after their own retries."""

    async def __aenter__(self) -> Self:
        """Open connections."""

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close connections."""

    async def seller(self) -> Seller:
        """Whose account it is; SourceRefusedError when the token is not good."""

    async def games(self) -> Sequence[Game]:
        """All games."""

    async def categories(self, game_id: int | None = None) -> Sequence[Category]:
        """All categories, or those of a game."""

    async def expansions(self, *, stocked: bool = False) -> Sequence[Expansion]:
        """All expansions; `stocked`: only those in which the seller has products."""

    async def blueprints(self, expansion_id: int | None) -> Sequence[Blueprint]:
        """All blueprints of an expansion; None: those that belong to none."""

    def export(self) -> AbstractAsyncContextManager[ExportBody]:
        """All products of the seller."""


class InventorySource(Protocol):
    """A marketplace."""

    def account(self, token: str) -> SellerAccount:
        """The account that a token opens; InvalidInputError for text that can be none."""
