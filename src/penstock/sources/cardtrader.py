"""A seller's account at CardTrader over REST.

Wire facts: https://www.cardtrader.com/docs/api/full/reference. Unlike documented, arrays arrive
bare or as `{"array": […]}`; the limit is 200 requests in 10 s per token; a 404 "Data is not ready"
is transient; a 429 gives no duration.
"""

from __future__ import annotations

import hashlib
import re
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar

import msgspec
import structlog

from penstock.errors import InvalidInputError
from penstock.http.client import HttpClient, HttpHabits
from penstock.http.decoding import LIST_BYTES
from penstock.http.governor import Governor
from penstock.http.source import HttpSource, rows_of
from penstock.inventory.forms import RowReader
from penstock.inventory.source import Blueprint, Category, Expansion, Game, Seller

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from penstock.http.download import Download
    from penstock.inventory.source import InventorySourceConfig

T = TypeVar("T")

_log = structlog.stdlib.get_logger()

_URL = "https://api.cardtrader.com"
_PREFIX = "/api/v2"
# CardTrader allows 200 requests in any 10 s, of which 160 are used. When its 10 s begin is unknown;
# any 10 s touch at most three windows of 5 s.
_WINDOW_S = 5
_REQUESTS_IN_WINDOW = 200 * 8 // 10 // 3
_PAUSE_S = 10.0
_NOT_FOUND = 404
_ADVICE = {
    401: "CardTrader refuses this account's token: set a new one, from your CardTrader settings",
    403: (
        "CardTrader denies access to this account's token: set a new one, "
        "unless this machine's address is blocked"
    ),
}
_TOKEN = re.compile(r"[!-~]{1,8192}")


class CardTraderSource:
    """The marketplace, an InventorySource."""

    def __init__(self, config: InventorySourceConfig) -> None:
        self._config = config

    def account(self, token: str) -> CardTraderAccount:
        if not _TOKEN.fullmatch(token):
            raise InvalidInputError(
                "token: not a CardTrader token; "
                "copy the whole token from your CardTrader settings, without spaces",
                field="token",
            )
        return CardTraderAccount(self._config, token)


class CardTraderAccount(HttpSource):
    """A seller's account, a SellerAccount."""

    documented_by = "CardTrader"

    def __init__(self, config: InventorySourceConfig, token: str) -> None:
        url = config.base_url or _URL
        # Others can read the stored budget, so its name must not contain the token.
        budget = config.budget(
            f"{url} {hashlib.sha256(token.encode()).hexdigest()[:16]}", _WINDOW_S
        )
        governor = Governor(_REQUESTS_IN_WINDOW, budget, share=1.0)
        habits = HttpHabits(
            headers={"Authorization": f"Bearer {token}"},
            pause_s=_PAUSE_S,
            is_transient=_is_not_ready,
            advice=_ADVICE,
        )
        super().__init__(HttpClient(url + _PREFIX, governor, config.http, habits))
        self._export = config.export

    async def seller(self) -> Seller:
        return await self._get("/info", _seller.read)

    async def games(self) -> Sequence[Game]:
        return await self._list("/games", _games)

    async def categories(self, game_id: int | None = None) -> Sequence[Category]:
        return await self._list(
            "/categories", _categories, {} if game_id is None else {"game_id": str(game_id)}
        )

    async def expansions(self, *, stocked: bool = False) -> Sequence[Expansion]:
        return await self._list("/expansions/export" if stocked else "/expansions", _expansions)

    async def blueprints(self, expansion_id: int | None) -> Sequence[Blueprint]:
        wanted = "null" if expansion_id is None else str(expansion_id)
        return await self._list("/blueprints/export", _blueprints, {"expansion_id": wanted})

    def export(self) -> AbstractAsyncContextManager[Download]:
        return self._http.download("/products/export", self._export, weight=1)

    async def _list(
        self, path: str, rows: _Rows[T], params: Mapping[str, str] | None = None
    ) -> Sequence[T]:
        return await self._get(path, partial(rows.decode, path), params, most_bytes=LIST_BYTES)


class _Rows(Generic[T]):
    """Decodes an array of rows; leaves out and logs malformed ones.

    An incomplete catalogue is better than none, and so is a row without its optional fields.
    """

    def __init__(self, row: type[T]) -> None:
        self._row = RowReader(row, forgiving=True)

    def decode(self, path: str, body: bytes) -> Sequence[T]:
        """The rows; ValueError or msgspec.DecodeError when the body is not an array."""
        rows: list[T] = []
        left_out = 0
        first: msgspec.ValidationError | None = None
        for raw in rows_of(_bare(body)):
            try:
                rows.append(self._row.read(raw))
            except msgspec.ValidationError as error:
                left_out, first = left_out + 1, first or error
        if first is not None:
            _log.warning(
                "malformed rows of the catalogue are left out",
                path=path,
                rows=left_out,
                first=str(first),
            )
        return rows


class _Wrapped(msgspec.Struct):
    array: msgspec.Raw


_seller = RowReader(Seller)
_games, _categories, _expansions, _blueprints = (
    _Rows(Game),
    _Rows(Category),
    _Rows(Expansion),
    _Rows(Blueprint),
)


def _bare(body: bytes) -> bytes | msgspec.Raw:
    return (
        msgspec.json.decode(body, type=_Wrapped).array if body.lstrip().startswith(b"{") else body
    )


def _is_not_ready(status: int, body: bytes) -> bool:
    """Whether CardTrader is still preparing the export."""
    return status == _NOT_FOUND and b"not ready" in body
