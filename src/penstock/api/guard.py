"""The guard ahead of the application: only requests that were meant for this host get further. Pure ASGI."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.api.problem import problem

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
_FORBIDDEN = 403
# A page of another site may open WebSockets too, and no browser asks us first.
_GUARDED = frozenset({"http", "websocket"})


class HostGuard:
    """Refuses a Host or an Origin that is not ours: what a page of another site (DNS rebinding, cross-site requests) would send."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str] = LOOPBACK) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in _GUARDED and not self._meant_for_us(dict(scope["headers"])):
            detail = "the Host or Origin header names another site; use http://127.0.0.1 or http://localhost"
            await problem(_FORBIDDEN, "forbidden_host", detail)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _meant_for_us(self, headers: dict[bytes, bytes]) -> bool:
        origin = headers.get(b"origin", b"").decode("latin-1")
        named = [headers.get(b"host", b"").decode("latin-1"), *([origin.partition("://")[2]] if origin else [])]
        return all(_without_port(name).lower() in self._hosts for name in named)


def _without_port(name: str) -> str:
    host, colon, port = name.rpartition(":")
    return host if colon and port.isdecimal() else name
