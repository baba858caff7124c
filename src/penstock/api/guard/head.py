"""The head of a request: what is known before its body is read."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPMethod
from typing import TYPE_CHECKING
from urllib.parse import unquote

from penstock.api.guard.peer import PEER
from penstock.api.guard.rates import client_of

if TYPE_CHECKING:
    from starlette.types import Scope as AsgiScope

    from penstock.api.guard.peer import Peer

# What a browser sends in place of the header that its scripts cannot set.
_SUBPROTOCOL = "penstock.bearer."
_COOKIE = "penstock_session"
_PROXY = (b"forwarded", b"x-forwarded-for", b"via")


@dataclass(frozen=True, slots=True)
class RequestHead:
    """The head of a request, or of the opening of a WebSocket."""

    scope: AsgiScope

    @property
    def path(self) -> str:
        """As the routes see it."""
        return str(self.scope["path"])

    @property
    def method(self) -> str:
        """Opening a WebSocket is a GET."""
        return str(self.scope.get("method", HTTPMethod.GET))

    @property
    def is_socket(self) -> bool:
        """Whether a WebSocket is to be opened."""
        return bool(self.scope["type"] == "websocket")

    @property
    def address(self) -> str:
        """The client's, as far as it cannot choose it; behind a trusted proxy, the one named."""
        client = self.scope.get("client")
        return client_of(client[0]) if client else ""

    @property
    def peer(self) -> Peer | None:
        """The process that sent it; None where the server does not tell."""
        peer: Peer | None = self.scope.get("state", {}).get(PEER)
        return peer

    @property
    def forwarded(self) -> bool:
        """Whether a proxy passed it on, so the client may be anywhere."""
        return any(self.values(name) for name in _PROXY)

    @property
    def subprotocol(self) -> str | None:
        """The subprotocol that carries a token."""
        offered = self.scope.get("subprotocols", ())
        return next((name for name in offered if name.startswith(_SUBPROTOCOL)), None)

    @property
    def credential(self) -> str | None:
        """The token that came with it: empty when something else did, None when nothing.

        Never from the query, which ends up in logs.
        """
        for value in self.values(b"authorization"):
            kind, _, token = value.partition(" ")
            return token.strip() if kind.lower() == "bearer" else ""
        if self.subprotocol is not None:
            return self.subprotocol.removeprefix(_SUBPROTOCOL)
        return self.cookie

    @property
    def cookie_name(self) -> str:
        """The name of our cookie: browsers send a host's cookies to all of its ports."""
        port = next(iter(self.values(b"host")), "").rpartition(":")[2]
        return f"{_COOKIE}_{port}" if port.isdecimal() else _COOKIE

    @property
    def cookie(self) -> str | None:
        """The token in our cookie."""
        pairs = (pair.partition("=") for line in self.values(b"cookie") for pair in line.split(";"))
        name = self.cookie_name
        return next(
            (unquote(value.strip()) for key, _, value in pairs if key.strip() == name), None
        )

    @property
    def is_of_page(self) -> bool:
        """Whether its token came in our cookie, which a browser adds by itself."""
        return self.cookie is not None and not (self.values(b"authorization") or self.subprotocol)

    @property
    def body_bytes(self) -> int | None:
        """How long its body is; None when it does not say so."""
        if self.values(b"transfer-encoding"):
            return None
        return int(next(iter(self.values(b"content-length")), 0))

    def values(self, name: bytes) -> list[str]:
        """The headers of this name."""
        return [value.decode("latin-1") for key, value in self.scope["headers"] if key == name]
