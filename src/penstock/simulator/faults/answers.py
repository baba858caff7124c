"""Faults that answer late, not at all, or with something other than the proper answer."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import TYPE_CHECKING, Literal

from aiohttp import web

from penstock.simulator.binance.query import QueryError, banned, overweight
from penstock.simulator.cardtrader.refusals import PREFIX, refusal, too_many
from penstock.simulator.faults.base import Call, Fault, NonNegative, Positive
from penstock.simulator.traffic.outgoing import gzipped

if TYPE_CHECKING:
    from collections.abc import Iterator

_MEBIBYTE = 2**20
_ROW = (
    b'[1600000000000,"1.00000000","1.00000000","1.00000000","1.00000000","1.00000000",'
    b'1600000059999,"1.00000000",1,"1.00000000","1.00000000","0"],'
)
_HTML = (
    "<html><head><title>{0}</title></head>"
    "<body><center><h1>{0}</h1></center><hr><center>nginx</center></body></html>"
)
_INTERNAL = "Internal error; unable to process your request. Please try again."
_OVERLOADED = (
    "Server is currently overloaded with other requests. Please try again in a few minutes."
)
_TIMEOUT = (
    "Timeout waiting for response from backend server. "
    "Send status unknown; execution status unknown."
)
_ERRORS = {500: (-1001, _INTERNAL), 503: (-1008, _OVERLOADED), 504: (-1007, _TIMEOUT)}


class Latency(Fault, frozen=True, kw_only=True, tag="latency"):
    """The proper answer after `ms` milliseconds of real time."""

    ms: NonNegative

    async def answer(self, call: Call) -> web.StreamResponse:
        await asyncio.sleep(self.ms / 1000)
        return await call.proceed()


class RateLimit(Fault, frozen=True, kw_only=True, tag="rate_limit"):
    """429, from Binance with Retry-After in seconds."""

    retry_after: Positive = 1

    async def answer(self, call: Call) -> web.StreamResponse:
        if call.request.path.startswith(PREFIX):
            return too_many()
        return _refused(overweight(), self.retry_after)


class Ban(Fault, frozen=True, kw_only=True, tag="ban"):
    """418 with Retry-After in seconds."""

    retry_after: Positive = 120

    async def answer(self, call: Call) -> web.StreamResponse:
        return _refused(banned(call.clock.after_ms(self.retry_after)), self.retry_after)


class ServerError(Fault, frozen=True, kw_only=True, tag="server_error"):
    """A 5xx; 502 comes from the proxy, as HTML."""

    code: Literal[500, 502, 503, 504] = 500

    async def answer(self, call: Call) -> web.StreamResponse:
        if self.code not in _ERRORS:
            return _page(self.code, "502 Bad Gateway")
        if call.request.path.startswith(PREFIX):
            return refusal(self.code, "internal_server_error", "Something went wrong")
        return _refused(QueryError(*_ERRORS[self.code], self.code))


class Hang(Fault, frozen=True, kw_only=True, tag="hang"):
    """Accepts the request and never answers."""

    async def answer(self, call: Call) -> web.StreamResponse:
        await asyncio.Event().wait()
        return await call.proceed()


class Reset(Fault, frozen=True, kw_only=True, tag="reset"):
    """Closes the connection with RST instead of an answer."""

    async def answer(self, call: Call) -> web.StreamResponse:
        transport = call.request.transport
        if transport is not None:
            connection = transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            transport.abort()
        return web.Response(status=500)


class Html(Fault, frozen=True, kw_only=True, tag="html"):
    """A page of a firewall or a captive portal instead of JSON."""

    status: Literal[200, 403] = 403

    async def answer(self, call: Call) -> web.StreamResponse:  # noqa: ARG002
        return _page(self.status, "403 Forbidden")


class Redirect(Fault, frozen=True, kw_only=True, tag="redirect"):
    """302 to `location`; a client that follows takes the default for a good answer."""

    location: str = "/api/v3/ping"

    async def answer(self, call: Call) -> web.StreamResponse:  # noqa: ARG002
        return web.Response(status=302, headers={"Location": self.location})


class Oversized(Fault, frozen=True, kw_only=True, tag="oversized"):
    """Klines of `mib` mebibytes without a length; `gzip` compresses them about a thousandfold."""

    mib: Positive = 64
    gzip: bool = False

    async def answer(self, call: Call) -> web.StreamResponse:
        encoding = {"Content-Encoding": "gzip"} if self.gzip else {}
        huge = web.StreamResponse(headers={"Content-Type": "application/json", **encoding})
        await huge.prepare(call.request)
        pieces = _klines(self.mib)
        for piece in gzipped(pieces, 9) if self.gzip else pieces:
            await huge.write(piece)
            await asyncio.sleep(0)
        return huge


def _refused(error: QueryError, retry_after_s: int | None = None) -> web.Response:
    headers = {"Retry-After": str(retry_after_s)} if retry_after_s else None
    return web.Response(
        status=error.status, body=error.body, content_type="application/json", headers=headers
    )


def _page(status: int, title: str) -> web.Response:
    return web.Response(status=status, text=_HTML.format(title), content_type="text/html")


def _klines(mebibytes: int) -> Iterator[bytes]:
    piece = _ROW * (_MEBIBYTE // len(_ROW))
    yield b"["
    for _ in range(mebibytes):
        yield piece
