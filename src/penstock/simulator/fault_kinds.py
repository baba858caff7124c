"""Every fault that the simulator can show, with its parameters: one class each, named by its tag.

A fault gets the request and a way to have it answered properly; it answers instead, waits before, or spoils what comes out.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import zlib
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args, get_origin, get_type_hints

import msgspec
from aiohttp import web

from penstock.simulator.cardtrader.faults import Array, BadProducts, NotReady, Sold, Unauthorized
from penstock.simulator.cardtrader.refusals import PREFIX, refusal, too_many
from penstock.simulator.fault import Call, Fault, Positive, Whole
from penstock.simulator.framing_kinds import CutAt, Framed, Gated, Gzip, Slow, Throttle, Truncated
from penstock.simulator.spoiled import Kind, changed, spoiled

if TYPE_CHECKING:
    from collections.abc import Iterator

_MEBIBYTE = 2**20
_ROW = b'[1600000000000,"1.00000000","1.00000000","1.00000000","1.00000000","1.00000000",1600000059999,"1.00000000",1,"1.00000000","1.00000000","0"],'
_HTML = "<html><head><title>{0}</title></head><body><center><h1>{0}</h1></center><hr><center>nginx</center></body></html>"
_ERRORS = {
    500: (-1001, "Internal error; unable to process your request. Please try again."),
    503: (-1008, "Server is currently overloaded with other requests. Please try again in a few minutes."),
    504: (-1007, "Timeout waiting for response from backend server. Send status unknown; execution status unknown."),
}


class Latency(Fault, frozen=True, kw_only=True, tag="latency"):
    """Answers after `ms` milliseconds of real time."""

    ms: Whole

    async def answer(self, call: Call) -> web.StreamResponse:
        await asyncio.sleep(self.ms / 1000)
        return await call.proceed()


class RateLimit(Fault, frozen=True, kw_only=True, tag="rate_limit"):
    """429, from Binance with Retry-After in seconds."""

    retry_after: Positive = 1

    async def answer(self, call: Call) -> web.StreamResponse:
        if call.request.path.startswith(PREFIX):
            return too_many()
        message = (
            "Too much request weight used; current limit is 6000 request weight per 1 MINUTE. "
            "Please use WebSocket Streams for live updates to avoid polling the API."
        )
        return _error(429, -1003, message, {"Retry-After": str(self.retry_after)})


class Ban(Fault, frozen=True, kw_only=True, tag="ban"):
    """418 with Retry-After in seconds."""

    retry_after: Positive = 120

    async def answer(self, call: Call) -> web.StreamResponse:
        message = (
            f"Way too much request weight used; IP banned until {call.after_ms(self.retry_after)}. "
            "Please use WebSocket Streams for live updates to avoid bans."
        )
        return _error(418, -1003, message, {"Retry-After": str(self.retry_after)})


class ServerError(Fault, frozen=True, kw_only=True, tag="server_error"):
    """A 5xx; 502 comes from the proxy, as HTML."""

    code: Literal[500, 502, 503, 504] = 500

    async def answer(self, call: Call) -> web.StreamResponse:
        if self.code not in _ERRORS:
            return web.Response(status=self.code, text=_HTML.format("502 Bad Gateway"), content_type="text/html")
        if call.request.path.startswith(PREFIX):
            return refusal(self.code, "internal_server_error", "Something went wrong")
        return _error(self.code, *_ERRORS[self.code])


class Hang(Fault, frozen=True, kw_only=True, tag="hang"):
    """Takes the request and never answers."""

    async def answer(self, call: Call) -> web.StreamResponse:
        await asyncio.Event().wait()
        return await call.proceed()


class Reset(Fault, frozen=True, kw_only=True, tag="reset"):
    """Closes the connection with RST instead of an answer."""

    async def answer(self, call: Call) -> web.StreamResponse:
        transport = call.request.transport
        if transport is not None:
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            transport.abort()
        return web.Response(status=500)


class Html(Fault, frozen=True, kw_only=True, tag="html"):
    """A page of a firewall or a captive portal instead of JSON."""

    status: Literal[200, 403] = 403

    async def answer(self, call: Call) -> web.StreamResponse:  # noqa: ARG002
        return web.Response(status=self.status, text=_HTML.format("403 Forbidden"), content_type="text/html")


class Redirect(Fault, frozen=True, kw_only=True, tag="redirect"):
    """302 to `location`; by default a path that a client which follows would take for a good answer."""

    location: str = "/api/v3/ping"

    async def answer(self, call: Call) -> web.StreamResponse:  # noqa: ARG002
        return web.Response(status=302, headers={"Location": self.location})


class Oversized(Fault, frozen=True, kw_only=True, tag="oversized"):
    """A klines answer of `mib` mebibytes, streamed without a length; `gzip` sends it compressed about a thousandfold."""

    mib: Positive = 64
    gzip: bool = False

    async def answer(self, call: Call) -> web.StreamResponse:
        huge = web.StreamResponse(headers={"Content-Type": "application/json"} | ({"Content-Encoding": "gzip"} if self.gzip else {}))
        await huge.prepare(call.request)
        for piece in _deflated(self.mib) if self.gzip else _plain(self.mib):
            await huge.write(piece)
            await asyncio.sleep(0)
        return huge


class BadRows(Fault, frozen=True, kw_only=True, tag="bad_rows"):
    """One row of each klines answer is wrong in the way `kind` says; `row` counts from 0, negative from the end."""

    kind: Kind
    row: int = 0

    async def answer(self, call: Call) -> web.StreamResponse:
        proper = await call.proceed()
        return _like(proper, spoiled(_body(proper), self.kind, self.row))


class Changed(Fault, frozen=True, kw_only=True, tag="changed"):
    """Closed candles answer with another close and volume than otherwise: one row, or all."""

    row: int | None = None

    async def answer(self, call: Call) -> web.StreamResponse:
        proper = await call.proceed()
        return _like(proper, changed(_body(proper), self.row, call.now_ms()))


_Answers: TypeAlias = Latency | RateLimit | Ban | ServerError | Hang | Reset | Html | Redirect | Oversized
_Wire: TypeAlias = Slow | Throttle | Gated | Truncated | CutAt | Framed | Gzip
_Products: TypeAlias = Array | BadProducts | NotReady | Sold | Unauthorized
AnyFault: TypeAlias = _Answers | _Wire | BadRows | Changed | _Products


def _written(kind: type[Fault]) -> tuple[str, ...]:
    """The parameters of a fault as its user writes them: with the values where only some are allowed."""
    types = get_type_hints(kind)
    allowed = {name: "|".join(map(str, get_args(type_))) for name, type_ in types.items() if get_origin(type_) is Literal}
    return tuple(f"{name}={allowed[name]}" if name in allowed else name for name in kind.__struct_fields__)


# The names under which faults are asked for, and the parameters of each.
PARAMETERS = {str(kind.__struct_config__.tag): _written(kind) for kind in get_args(AnyFault)}


def _error(status: int, code: int, message: str, headers: dict[str, str] | None = None) -> web.Response:
    body = msgspec.json.encode({"code": code, "msg": message})
    return web.Response(status=status, body=body, content_type="application/json", headers=headers)


def _body(response: web.StreamResponse) -> bytes:
    """The whole body; empty when another fault has sent it already."""
    body = response.body if isinstance(response, web.Response) else None
    return body if isinstance(body, bytes) else b""


def _like(response: web.StreamResponse, body: bytes) -> web.StreamResponse:
    if isinstance(response, web.Response) and isinstance(response.body, bytes):
        response.body = body
    return response


def _plain(mebibytes: int) -> Iterator[bytes]:
    piece = _ROW * (_MEBIBYTE // len(_ROW))
    yield b"["
    for _ in range(mebibytes):
        yield piece


def _deflated(mebibytes: int) -> Iterator[bytes]:
    packer = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    for piece in _plain(mebibytes):
        yield packer.compress(piece)
    yield packer.flush()
