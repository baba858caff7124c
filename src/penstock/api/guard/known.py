"""The working tokens that this process knows: read again every two seconds.

So no request waits for the database to be let in.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from penstock.access.scopes import Scope, digest_of, is_token
from penstock.errors import StoreUnavailableError
from penstock.loop import Outage, background

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping

    from penstock.access.scopes import Token
    from penstock.api.guard.head import RequestHead
    from penstock.store.write.tokens import SqlTokens

_AGAIN_S = 2.0
# A token that was revoked elsewhere stops working within this time, even with a slow database.
_STALE_S = 5.0
# A token that another process has just made is looked for at once, but at most this often.
_LOOK_S = 0.5
_NOTE_USED_S = 60.0

_UNREADABLE = "tokens cannot be read; until they can, known ones are only good for reading"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request. `who` counts for the rate limit; `digest` is that of a stored token.

    `scope` is what is allowed, None for a stranger.
    """

    who: str
    scope: Scope | None = None
    digest: str | None = None


# Who came with the token of the settings.
DEPLOYED = Caller("PENSTOCK_ADMIN_TOKEN", Scope.ADMIN)


@dataclass(frozen=True, slots=True)
class Own:
    """How processes of our user are known: by the user, or by a token that only they can read.

    `key` stands for the token once, in the address of the page that the service prints.
    """

    user: int
    token: str | None = None
    key: str | None = None


class KnownTokens:
    """Tells callers by their tokens. `admin_token` is that of the settings.

    As long as no token was ever made, `own` lets in processes of our user on this machine.
    """

    def __init__(self, tokens: SqlTokens, *, admin_token: str | None, own: Own | None) -> None:
        self._tokens = tokens
        self._admin_token = admin_token
        self._own = own if admin_token is None else None
        self._key = self._own.key if self._own else None
        self._working: Mapping[str, Token] | None = {}
        self._read_at = -_STALE_S
        self._reading = asyncio.Lock()
        self._outage = Outage(_UNREADABLE, "tokens can be read again")
        self._used: set[int] = set()
        self._lookups = ThreadPoolExecutor(1, "peers")
        self._connections: set[tuple[Caller, Callable[[str], None]]] = set()

    @property
    def stale(self) -> bool:
        """Whether the database was away so long that a token may have been revoked since."""
        return time.monotonic() - self._read_at > _STALE_S

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Know them while the block runs."""
        await self.refresh()
        try:
            async with background(self._keep(), "tokens"):
                yield
        finally:
            self._lookups.shutdown(wait=False, cancel_futures=True)
            with contextlib.suppress(StoreUnavailableError):
                await self._note_used()

    async def refresh(self, *, since: float | None = None) -> None:
        """Read them again, unless a read began after `since` (now).

        StoreUnavailableError when the database does not answer.
        """
        since = time.monotonic() if since is None else since
        async with self._reading:
            if self._read_at >= since:
                return
            began_at = time.monotonic()
            self._working = await self._tokens.working()
            self._read_at = began_at
        self._end_connections()

    async def caller(self, head: RequestHead) -> Caller | None:
        """Who sent a request; None: with a wrong token."""
        credential = head.credential
        if credential is None:
            return await self.without_token(head)
        if (caller := self._own_token(credential)) is not None:
            return caller
        if is_token(credential) and digest_of(credential) not in (self._working or ()):
            await self._look()
        return self._stored(digest_of(credential)) or self._deployed(credential)

    async def without_token(self, head: RequestHead) -> Caller:
        """Who sent it; a stranger when a proxy passed it on."""
        own = self._own
        if own is not None and self._is_open and head.peer is not None and not head.forwarded:
            user = await head.peer.user(self._lookups)
            # The first token may have been made meanwhile.
            if user == own.user and self._is_open:
                return Caller(f"user {user}", Scope.ADMIN)
        return Caller(head.address)

    def kept(self, credential: str) -> str:
        """What a page keeps of the credential that it signed in with: a key works once."""
        if self._own is None or self._own.token is None or not _same(credential, self._key):
            return credential
        self._key = None
        return self._own.token

    def works(self, caller: Caller) -> bool:
        """Whether a caller who was let in before would be let in now."""
        if caller.digest is not None:
            return self._stored(caller.digest) is not None
        return caller is DEPLOYED or self._is_open

    @contextlib.contextmanager
    def connected(self, caller: Caller, evict: Callable[[str], None]) -> Iterator[None]:
        """A connection while the block runs; evicted as soon as its token stops working."""
        connection = (caller, evict)
        self._connections.add(connection)
        try:
            yield
        finally:
            self._connections.discard(connection)

    async def _look(self) -> None:
        """Look for a token that another process may have made; all who wait share one read."""
        asked_at = time.monotonic()
        await asyncio.sleep(max(0.0, self._read_at + _LOOK_S - asked_at))
        with contextlib.suppress(StoreUnavailableError):
            await self.refresh(since=asked_at)

    def _stored(self, digest: str) -> Caller | None:
        token = (self._working or {}).get(digest)
        if token is None or not token.works_at(int(time.time() * 1000)):
            return None
        self._used.add(token.id)
        return Caller(f"token {token.id}", token.scope, digest)

    def _deployed(self, credential: str) -> Caller | None:
        return DEPLOYED if _same(credential, self._admin_token) else None

    @property
    def _is_open(self) -> bool:
        return self._own is not None and self._working is None

    def _own_token(self, credential: str) -> Caller | None:
        own = self._own
        if own is None or not self._is_open:
            return None
        ours = _same(credential, own.token) or _same(credential, self._key)
        return Caller(f"user {own.user}", Scope.ADMIN) if ours else None

    async def _keep(self) -> None:
        noted_at = time.monotonic()
        while True:
            await asyncio.sleep(_AGAIN_S)
            with self._outage.logged():
                await self.refresh()
                if time.monotonic() - noted_at >= _NOTE_USED_S:
                    noted_at = time.monotonic()
                    await self._note_used()

    async def _note_used(self) -> None:
        used, self._used = self._used, set()
        if used:
            await self._tokens.used(used)

    def _end_connections(self) -> None:
        for caller, evict in list(self._connections):
            if not self.works(caller):
                evict("this token no longer works" if caller.digest else "a token is needed now")


def _same(credential: str, expected: str | None) -> bool:
    return expected is not None and hmac.compare_digest(credential.encode(), expected.encode())
