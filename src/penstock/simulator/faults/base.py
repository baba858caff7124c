"""The base of faults: the requests that a fault hits, and how it answers them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, TypeAlias

import msgspec
from msgspec import Meta

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp import web

    from penstock.simulator.traffic.clock import SimulatedClock

NonNegative: TypeAlias = Annotated[int, Meta(ge=0)]
Positive: TypeAlias = Annotated[int, Meta(ge=1)]


@dataclass(frozen=True, slots=True)
class Call:
    """A request that a fault hits.

    `proceed` gets its proper answer, `switched_off` waits until the fault is off.
    """

    request: web.Request
    proceed: Callable[[], Awaitable[web.StreamResponse]]
    clock: SimulatedClock
    switched_off: Callable[[], Awaitable[object]]


class Fault(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="name"
):
    """A fault and the requests that it hits.

    Of the requests to `path` (whole or its end) with `symbol`, `interval` and `token`, the first
    `after` pass and the next `count` are hit.
    """

    path: str | None = None
    symbol: str | None = None
    interval: str | None = None
    token: str | None = None
    after: NonNegative = 0
    count: Positive | None = None
    probability: Annotated[float, Meta(ge=0, le=1)] = 1.0

    async def answer(self, call: Call) -> web.StreamResponse:
        """The answer to a request that the fault hits."""
        raise NotImplementedError

    def matches(self, request: web.Request) -> bool:
        """Whether the fault applies to this request."""
        token = request.headers.get("Authorization")
        return (
            (self.path is None or f"/{request.path}".endswith(f"/{self.path}"))
            and (self.token is None or token == f"Bearer {self.token}")
            and self.symbol in (None, request.query.get("symbol"))
            and self.interval in (None, request.query.get("interval"))
        )
