"""What a fault is: the requests that it hits, and what it makes of their answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, TypeAlias

import msgspec
from msgspec import Meta

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp import web

Whole: TypeAlias = Annotated[int, Meta(ge=0)]
Positive: TypeAlias = Annotated[int, Meta(ge=1)]


@dataclass(frozen=True, slots=True)
class Call:
    """One request: as it came, how to get its proper answer, the clock, and how to wait until the fault is switched off."""

    request: web.Request
    proceed: Callable[[], Awaitable[web.StreamResponse]]
    now_ms: Callable[[], int]
    after_ms: Callable[[float], int]
    switched_off: Callable[[], Awaitable[object]]


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="name"):
    """Which requests it hits: of those to `path` (whole or its end), `symbol`, `interval`, of `token`; `after` pass, then `count` are hit."""

    path: str | None = None
    symbol: str | None = None
    interval: str | None = None
    token: str | None = None
    after: Whole = 0
    count: Positive | None = None
    probability: Annotated[float, Meta(ge=0, le=1)] = 1.0

    async def answer(self, call: Call) -> web.StreamResponse:
        """The answer to a request that it hits."""
        raise NotImplementedError

    def hits(self, request: web.Request) -> bool:
        """Whether it is meant for this request."""
        path = self.path is None or request.path == self.path or request.path.endswith(f"/{self.path}")
        token = self.token is None or request.headers.get("Authorization") == f"Bearer {self.token}"
        return path and token and self.symbol in (None, request.query.get("symbol")) and self.interval in (None, request.query.get("interval"))
