"""Faults of CardTrader: wrapped arrays, wrong products, stock sold meanwhile, data not ready."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta

from penstock.simulator.cardtrader.edits import Changes, Percent
from penstock.simulator.cardtrader.export import Export
from penstock.simulator.cardtrader.refusals import PREFIX, refusal
from penstock.simulator.faults.base import Call, Fault, NonNegative
from penstock.simulator.faults.wire import WireFault
from penstock.simulator.traffic.outgoing import Body, OutgoingResponse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from aiohttp import web

_OPEN, _CLOSE = b'{"array":', b"}"
_ANOTHER_SELLER = 999_999
_UNKNOWN_FIELD = b',"hub_state":{"shelf":[1,2,{"a":"},{"}],"checked":null}}'


class Array(WireFault, frozen=True, kw_only=True, tag="array"):
    """Arrays come in `{"array": …}`; `wrapped` false unwraps /games, where that is usual."""

    wrapped: bool = True

    def change(self, sent: OutgoingResponse, call: Call) -> None:  # noqa: ARG002
        match sent.source:
            case Export():
                sent.source = replace(sent.source, wrapped=self.wrapped)
            case Body(text):
                bare = text.removeprefix(_OPEN).removesuffix(_CLOSE)
                bare = bare if text.startswith(_OPEN) else text
                wrap = self.wrapped and bare.startswith(b"[")
                sent.source = Body(_OPEN + bare + _CLOSE if wrap else bare)


class BadProducts(WireFault, frozen=True, kw_only=True, tag="bad_products"):
    """Products of an export are wrong as `kind` says: `percent` of them, or the one at `row`."""

    kind: Literal[
        "duplicate",
        "malformed",
        "missing_id",
        "broken_json",
        "unknown_field",
        "currency",
        "another_seller",
        "fewer",
        "empty",
    ]
    percent: Percent | None = None
    row: NonNegative = 0

    def change(self, sent: OutgoingResponse, call: Call) -> None:  # noqa: ARG002
        if isinstance(sent.source, Export):
            sent.source = replace(sent.source, twists=(*sent.source.twists, self.twisted))

    def twisted(self, rows: Iterator[bytes]) -> Iterator[bytes]:
        """The rows of an export, with what is wrong."""
        if self.kind == "empty":
            return
        duplicates = []
        for at, row in enumerate(rows):
            if not self._hits(at):
                yield row
            elif self.kind == "duplicate":
                # The duplicate follows at the end, as far from the first as possible.
                duplicates.append(row)
                yield row
            elif self.kind != "fewer":
                yield _WRONG[self.kind](row)
        yield from duplicates

    def _hits(self, at: int) -> bool:
        """Whether the row at this place is wrong; a percentage is spread evenly."""
        if self.kind in _ONE_ROW:
            return at == self.row
        usual = 30.0 if self.kind == "fewer" else 100.0
        percent = usual if self.percent is None else self.percent
        return int((at + 1) * percent / 100) > int(at * percent / 100)


class Sold(WireFault, frozen=True, kw_only=True, tag="sold"):
    """While an export is written, `percent` of the products sell one item.

    The second half of this export shows it, and so does the next export.
    """

    percent: Annotated[float, Meta(gt=0, le=100)] = 1.0

    def change(self, sent: OutgoingResponse, call: Call) -> None:  # noqa: ARG002
        if isinstance(sent.source, Export):
            version = sent.source.inventory.advance(Changes(sold=self.percent))
            sent.source = replace(sent.source, later_version=version)


class NotReady(Fault, frozen=True, kw_only=True, tag="not_ready"):
    """404, as while CardTrader still prepares an export."""

    async def answer(self, call: Call) -> web.StreamResponse:
        wanted = call.request.path.rpartition(f"{PREFIX}/")[2]
        return refusal(404, "not_found", f"Data is not ready for {wanted}, try again later")


class Unauthorized(Fault, frozen=True, kw_only=True, tag="unauthorized"):
    """A valid token is refused: unknown (401) or not permitted (403)."""

    code: Literal[401, 403] = 401

    async def answer(self, call: Call) -> web.StreamResponse:  # noqa: ARG002
        error = {401: "unauthorized", 403: "forbidden"}[self.code]
        return refusal(self.code, error, "The token is missing or is not valid")


def _with(field: str, value: object) -> Callable[[bytes], bytes]:
    def changed(row: bytes) -> bytes:
        fields = msgspec.json.decode(row, type=dict[str, msgspec.Raw])
        fields[field] = msgspec.Raw(msgspec.json.encode(value))
        return msgspec.json.encode(fields)

    return changed


_ONE_ROW = {"duplicate", "malformed", "missing_id", "broken_json"}
_WRONG: dict[str, Callable[[bytes], bytes]] = {
    "malformed": _with("price_cents", "12,50"),
    "missing_id": lambda row: b"{" + row.partition(b",")[2],
    "broken_json": lambda row: row[:-1],
    "unknown_field": lambda row: row[:-1] + _UNKNOWN_FIELD,
    "currency": _with("price_currency", "USD"),
    "another_seller": _with("user_id", _ANOTHER_SELLER),
}
