"""The guard ahead of the application: pure ASGI, so a refusal costs a look at the headers."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from penstock.access.scopes import Scope, is_token
from penstock.api.guard.body import CountedBody, check_length, closing, is_small, too_large
from penstock.api.guard.head import RequestHead
from penstock.api.guard.headers import with_headers
from penstock.api.guard.known import DEPLOYED
from penstock.api.guard.rates import Rates
from penstock.api.guard.scopes import LOOKS, needed
from penstock.api.live.evict import evictor
from penstock.api.schemas.problem import answer_to
from penstock.errors import (
    AccessError,
    ForbiddenError,
    ForbiddenHostError,
    PenstockError,
    TooManyRequestsError,
)

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
    """Refuses as early as it can what is not allowed.

    It looks, in this order, at Host and Origin, the rate, the token and its scope, and the length
    of the body.
    """

    def __init__(
        self, app: ASGIApp, hosts: Hosts, known: KnownTokens, *, requests_per_minute: int
    ) -> None:
        self._app = app
        self._hosts = hosts
        self._known = known
        self._rates = Rates(requests_per_minute)
        self._wrong = Rates(_WRONG_TOKENS_PER_MINUTE)

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on to the application."""
        if scope["type"] not in _GUARDED:
            await self._app(scope, receive, send)
            return
        head = RequestHead(scope)
        send = with_headers(head, send)
        try:
            self._hosts.check(head)
            check_length(head)
            caller = await self._admitted(head)
        except PenstockError as refusal:
            await _refuse(refusal, head, receive, send)
            return
        scope[CALLER_SCOPE] = caller.scope
        # Only the end of the service cancels a request, and its connection is dropped by then.
        with contextlib.suppress(asyncio.CancelledError):
            await (self._follow if head.is_socket else self._answer)(head, caller, receive, send)

    async def _admitted(self, head: RequestHead) -> Caller:
        caller = await self._caller(head)
        if head.is_of_page:
            _check_page(head)
        _hold_back(self._rates, caller.who, "requests in a minute")
        self._rates.count(caller.who)
        scope = needed(head.method, head.path)
        if scope is not None:
            _allow(caller, scope)
        if not (head.is_socket or is_small(head) or head.body_bytes is None):
            raise too_large(head)
        if scope not in {None, Scope.READ} and self._known.stale:
            await self._known.refresh()
        return caller

    async def _caller(self, head: RequestHead) -> Caller:
        """Who sent a request; AccessError for a wrong token.

        Wrong tokens slow down a client, also for the right one of the settings; stored tokens
        cannot be guessed. A page whose session has ended is a stranger's, and can sign in again.
        """
        found = await self._known.caller(head)
        if found is DEPLOYED or (found is None and not head.is_of_page):
            _hold_back(self._wrong, head.address, "wrong tokens in a minute")
        if found is None and head.is_of_page:
            # A page of an ended session guesses nothing; what has another form may.
            if not is_token(head.cookie or ""):
                self._wrong.count(head.address)
            return await self._known.without_token(head)
        if found is None:
            self._wrong.count(head.address)
            raise AccessError(
                "this token is wrong, has expired or was revoked; "
                "`penstock token list` shows those that work"
            )
        return found

    async def _answer(
        self, head: RequestHead, _caller: Caller, receive: Receive, send: Send
    ) -> None:
        if is_small(head):
            await self._app(head.scope, receive, send)
            return
        body = CountedBody(head, receive, send)
        await self._app(head.scope, body.receive, body.send)
        if body.is_too_large and not body.answered:
            await _refuse(too_large(head), head, receive, send)

    async def _follow(
        self, head: RequestHead, caller: Caller, receive: Receive, send: Send
    ) -> None:
        async def accept(message: Message) -> None:
            if message["type"] == "websocket.accept" and head.subprotocol:
                message = {**message, "subprotocol": head.subprotocol}
            await send(message)

        with self._known.connected(caller, evictor(head.scope)):
            await self._app(head.scope, receive, accept)


def _check_page(head: RequestHead) -> None:
    """ForbiddenHostError for a change or a socket that names no page: browsers always name it."""
    if (head.is_socket or head.method not in LOOKS) and not head.values(b"origin"):
        raise ForbiddenHostError(
            "a request with the cookie of a page needs its Origin header; "
            "send `Authorization: Bearer …` instead"
        )


def _allow(caller: Caller, scope: Scope) -> None:
    if caller.scope is None:
        raise AccessError(
            "a token is needed: send `Authorization: Bearer …`; `penstock token create` makes one"
        )
    if not caller.scope.covers(scope):
        raise ForbiddenError(
            f"this needs a token with the scope {scope}; the one sent has {caller.scope}"
        )


def _hold_back(rates: Rates, who: str, what: str) -> None:
    if (wait_s := rates.wait_s(who)) > 0:
        raise TooManyRequestsError(
            f"too many {what}; come back in {wait_s:.0f} s", retry_after_s=wait_s
        )


async def _refuse(error: PenstockError, head: RequestHead, receive: Receive, send: Send) -> None:
    """Answer a refusal; the body is not read, so a long one ends the connection."""
    if not (head.is_socket or is_small(head)):
        send = closing(receive, send)
    await answer_to(error)(head.scope, receive, send)
