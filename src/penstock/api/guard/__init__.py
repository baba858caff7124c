"""The guard ahead of the application: pure ASGI, so whoever is refused costs no more than a look at the headers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.access.scopes import Scope
from penstock.api.guard.asked import Asked
from penstock.api.guard.body import CountedBody, closing, is_small, too_large
from penstock.api.guard.headers import with_headers
from penstock.api.guard.known import DEPLOYED
from penstock.api.guard.rates import Rates
from penstock.api.guard.scopes import needed
from penstock.api.live.transport import evictor
from penstock.api.schemas.problem import answer_to
from penstock.errors import AccessError, ForbiddenError, PenstockError, TooManyRequestsError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Send
    from starlette.types import Scope as AsgiScope

    from penstock.api.guard.hosts import Hosts
    from penstock.api.guard.known import Caller, KnownTokens

_GUARDED = frozenset({"http", "websocket"})
_WRONG_TOKENS_PER_MINUTE = 30
# Where a route finds what its caller may do; None for a stranger.
CALLER_SCOPE = "penstock.scope"


class Guard:
    """Looks, in this order, at the Host and the Origin, the rate, the token, its scope, the length of the body; refuses as early as it can."""

    def __init__(
        self, app: ASGIApp, hosts: Hosts, known: KnownTokens, *, requests_per_minute: int
    ) -> None:
        self._app = app
        self._hosts = hosts
        self._known = known
        self._rates = Rates(requests_per_minute)
        self._wrong = Rates(_WRONG_TOKENS_PER_MINUTE)

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] not in _GUARDED:
            await self._app(scope, receive, send)
            return
        asked = Asked(scope)
        send = with_headers(asked, send)
        try:
            self._hosts.check(asked)
            caller = await self._admitted(asked)
        except PenstockError as refusal:
            await _refuse(refusal, asked, receive, send)
            return
        scope[CALLER_SCOPE] = caller.scope
        await (self._follow if asked.is_socket else self._answer)(asked, caller, receive, send)

    async def _admitted(self, asked: Asked) -> Caller:
        caller = await self._caller(asked)
        _hold_back(self._rates, caller.who, "requests in a minute")
        self._rates.count(caller.who)
        scope = needed(asked.method, asked.path)
        if scope is not None:
            _allow(caller, scope)
        if not (asked.is_socket or is_small(asked) or asked.body_bytes is None):
            raise too_large(asked)
        if scope not in {None, Scope.READ} and self._known.stale:
            await self._known.refresh()
        return caller

    async def _caller(self, asked: Asked) -> Caller:
        """Whoever tries tokens gets slower with them, also with the right one of the settings; stored ones cannot be found by trying."""
        found = await self._known.caller(asked.credential, asked.address, forwarded=asked.forwarded)
        if found is None or found is DEPLOYED:
            _hold_back(self._wrong, asked.address, "wrong tokens in a minute")
        if found is None:
            self._wrong.count(asked.address)
            message = "this token is wrong, has expired or was revoked; `penstock token list` shows those that work"
            raise AccessError(message)
        return found

    async def _answer(self, asked: Asked, _caller: Caller, receive: Receive, send: Send) -> None:
        if is_small(asked):
            await self._app(asked.scope, receive, send)
            return
        body = CountedBody(asked, receive, send)
        await self._app(asked.scope, body.receive, body.send)
        if body.is_too_large and not body.answered:
            await _refuse(too_large(asked), asked, receive, send)

    async def _follow(self, asked: Asked, caller: Caller, receive: Receive, send: Send) -> None:
        async def accept(message: Message) -> None:
            if message["type"] == "websocket.accept" and asked.subprotocol:
                message = {**message, "subprotocol": asked.subprotocol}
            await send(message)

        with self._known.connected(caller, evictor(asked.scope)):
            await self._app(asked.scope, receive, accept)


def _allow(caller: Caller, scope: Scope) -> None:
    if caller.scope is None:
        message = (
            "a token is needed: send `Authorization: Bearer …`; `penstock token create` makes one"
        )
        raise AccessError(message)
    if not caller.scope.covers(scope):
        message = (
            f"this needs a token with the scope {scope}, and this one is good for {caller.scope}"
        )
        raise ForbiddenError(message)


def _hold_back(rates: Rates, who: str, what: str) -> None:
    if (wait_s := rates.wait_s(who)) > 0:
        message = f"too many {what}; come back in {wait_s:.0f} s"
        raise TooManyRequestsError(message, retry_after_s=wait_s)


async def _refuse(error: PenstockError, asked: Asked, receive: Receive, send: Send) -> None:
    """Nobody reads the body of who is refused, so a long one ends the connection."""
    if not (asked.is_socket or is_small(asked)):
        send = closing(receive, send)
    await answer_to(error)(asked.scope, receive, send)
