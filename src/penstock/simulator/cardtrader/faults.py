"""What CardTrader's exports do to their clients: arrays in a wrapper, rows that are wrong, stock sold meanwhile, data that is not ready."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta

from penstock.simulator.cardtrader.edits import Changes, Percent
from penstock.simulator.cardtrader.export import Export
from penstock.simulator.cardtrader.refusals import refusal
from penstock.simulator.cardtrader.twists import Kind, Twist
from penstock.simulator.fault import Call, Fault, Whole
from penstock.simulator.framing_kinds import WireFault
from penstock.simulator.outgoing import Outgoing
from penstock.simulator.outgoing import Whole as WholeBody

if TYPE_CHECKING:
    from aiohttp import web

_OPEN, _CLOSE = b'{"array":', b"}"
_USUAL_PERCENT: dict[Kind, float] = {"fewer": 30.0}


class Array(WireFault, frozen=True, kw_only=True, tag="array"):
    """Arrays come in `{"array": …}`; `wrapped` false takes it off where it is usual, which is /games."""

    wrapped: bool = True

    def change(self, sent: Outgoing, call: Call) -> None:  # noqa: ARG002
        match sent.source:
            case Export():
                sent.source = replace(sent.source, wrapped=self.wrapped)
            case WholeBody(body):
                bare = body.removeprefix(_OPEN).removesuffix(_CLOSE) if body.startswith(_OPEN) else body
                sent.source = WholeBody(_OPEN + bare + _CLOSE if self.wrapped and bare.startswith(b"[") else bare)


class BadProducts(WireFault, frozen=True, kw_only=True, tag="bad_products"):
    """Products of an export are wrong in the way `kind` says: `percent` of them, or the one at `row`, as the kind has it."""

    kind: Kind
    percent: Percent | None = None
    row: Whole = 0

    def change(self, sent: Outgoing, call: Call) -> None:  # noqa: ARG002
        if isinstance(sent.source, Export):
            percent = _USUAL_PERCENT.get(self.kind, 100.0) if self.percent is None else self.percent
            sent.source = replace(sent.source, twists=(*sent.source.twists, Twist(self.kind, percent, self.row)))


class Sold(WireFault, frozen=True, kw_only=True, tag="sold"):
    """While an export is written `percent` of the products sell one: its first half does not show it, its second half and the next export do."""

    percent: Annotated[float, Meta(gt=0, le=100)] = 1.0

    def change(self, sent: Outgoing, call: Call) -> None:  # noqa: ARG002
        if isinstance(sent.source, Export):
            version = sent.source.inventory.advance(Changes(sold=self.percent))
            sent.source = replace(sent.source, later_version=version)


class NotReady(Fault, frozen=True, kw_only=True, tag="not_ready"):
    """404 for a while, as CardTrader answers an export that it is still writing."""

    async def answer(self, call: Call) -> web.StreamResponse:
        return refusal(404, "not_found", f"Data is not ready for {call.request.path.rpartition('/api/v2/')[2]}, try again later")


class Unauthorized(Fault, frozen=True, kw_only=True, tag="unauthorized"):
    """A token that was good is so no more (401), or may not do this (403)."""

    code: Literal[401, 403] = 401

    async def answer(self, call: Call) -> web.StreamResponse:  # noqa: ARG002
        return refusal(self.code, "unauthorized" if self.code == 401 else "forbidden", "The token is missing or is not valid")  # noqa: PLR2004
