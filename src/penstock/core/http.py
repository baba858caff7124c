"""HTTP for sources: a total deadline per request, capped bodies, no redirects, retries with jitter, `Retry-After` obeyed."""

from __future__ import annotations

import asyncio
import random
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, TypeVar

import aiohttp

from penstock.errors import RateLimitedError, RetryableError, SourceRefusedError, SourceUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from penstock.core.governor import Governor

T = TypeVar("T")

_READ_BYTES = 65_536
_EXCERPT_BYTES = 200
_DEFAULT_PAUSE_S = 60.0
_OK = 200
_SERVER_ERRORS = 500
_REDIRECTS = range(300, 400)
_REQUEST_TIMEOUT = 408
_RATE_LIMITED = (429, 418)
_SENSELESS_DIGITS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpLimits:
    """How far one request may go.

    `deadline_s` is the total of one attempt, from connecting to the last byte; `attempts` includes the first; a provider's pause of up to
    `longest_pause_s` is waited for, a longer one ends the request with RateLimitedError.
    """

    deadline_s: float = 10.0
    attempts: int = 4
    backoff_s: float = 0.25
    longest_pause_s: float = 60.0
    body_bytes: int = 32 * 1024 * 1024
    connections: int = 10


@dataclass(slots=True)
class RequestTally:
    """Requests sent by those who count here, retries included."""

    sent: int = 0


_tally: ContextVar[RequestTally | None] = ContextVar("requests", default=None)


def count_requests() -> RequestTally:
    """Count, from now on, what this task and those it starts send; several runs may share a client."""
    tally = RequestTally()
    _tally.set(tally)
    return tally


class HttpClient:
    """Requests to one provider, all through its governor."""

    def __init__(self, base_url: str, governor: Governor, limits: HttpLimits, *, weight_header: str) -> None:
        self._base_url = base_url.rstrip("/")
        self._governor = governor
        self._limits = limits
        self._weight_header = weight_header
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        # A compressed body could grow a thousandfold while it is read, so none is asked for and none accepted.
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._limits.connections, resolver=aiohttp.ThreadedResolver()),
            headers={"Accept-Encoding": "identity", "User-Agent": "penstock"},
            timeout=aiohttp.ClientTimeout(total=self._limits.deadline_s),
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._session is not None:
            await self._session.close()

    async def get(self, path: str, params: Mapping[str, str], *, weight: int, decode: Callable[[bytes], T]) -> T:
        """The decoded body of a 200 answer.

        `decode` raises SourceUnavailableError when the body is not what was promised; that is retried like a time-out. Raises
        RateLimitedError, SourceUnavailableError (after the last attempt) or SourceRefusedError.
        """
        for attempt in range(1, self._limits.attempts + 1):
            try:
                return decode(await self._attempt(path, params, weight))
            except RetryableError as error:
                if attempt == self._limits.attempts:
                    raise
                await asyncio.sleep(self._before_retry(error, attempt))
        raise AssertionError

    def _before_retry(self, error: RetryableError, attempt: int) -> float:
        if isinstance(error, RateLimitedError):
            if error.retry_after_s > self._limits.longest_pause_s:
                raise error
            return 0.0
        return random.uniform(0, self._limits.backoff_s * 2**attempt)  # noqa: S311 - jitter, nobody has to be unable to guess it

    async def _attempt(self, path: str, params: Mapping[str, str], weight: int) -> bytes:
        if pause_s := await self._governor.admit(weight, longest_pause_s=self._limits.longest_pause_s):
            message = f"{self._base_url} told us to wait {pause_s:.0f} s more"
            raise RateLimitedError(message, retry_after_s=pause_s)
        if (tally := _tally.get()) is not None:
            tally.sent += 1
        try:
            return await self._exchange(path, params)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            reason = "no answer in time" if isinstance(error, TimeoutError) else str(error) or type(error).__name__
            message = f"GET {self._base_url}{path}: {reason}"
            raise SourceUnavailableError(message) from error

    async def _exchange(self, path: str, params: Mapping[str, str]) -> bytes:
        if self._session is None:
            message = "the HTTP client is used outside of its `async with` block"
            raise RuntimeError(message)
        asked_at = self._governor.now()
        async with self._session.get(self._base_url + path, params=params, allow_redirects=False) as response:
            if (used := response.headers.get(self._weight_header, "")).isdecimal() and len(used) < _SENSELESS_DIGITS:
                await self._governor.observe(int(used), asked_at=asked_at)
            body = await self._read(response)
            if response.status != _OK:
                raise await self._error(response, body)
            return body

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        if (encoding := response.headers.get("Content-Encoding", "identity")) != "identity":
            message = f"GET {response.url}: an answer encoded as {encoding[:20]} was not asked for"
            raise SourceUnavailableError(message)
        body = bytearray()
        async for part in response.content.iter_chunked(_READ_BYTES):
            body += part
            if len(body) > self._limits.body_bytes:
                response.close()
                message = f"GET {response.url}: the answer is larger than {self._limits.body_bytes} bytes"
                raise SourceUnavailableError(message)
        return bytes(body)

    async def _error(self, response: aiohttp.ClientResponse, body: bytes) -> Exception:
        excerpt = body[:_EXCERPT_BYTES].decode("utf-8", "replace")
        message = f"GET {response.url}: HTTP {response.status} {excerpt}".rstrip()
        if response.status in _RATE_LIMITED:
            pause_s = _retry_after_s(response.headers.get("Retry-After", ""))
            await self._governor.pause(pause_s)
            return RateLimitedError(message, retry_after_s=pause_s)
        if response.status >= _SERVER_ERRORS or response.status == _REQUEST_TIMEOUT or response.status in _REDIRECTS:
            return SourceUnavailableError(message)
        return SourceRefusedError(message)


def _retry_after_s(header: str) -> float:
    """Seconds to wait; Binance sends whole seconds, and without a readable number we wait a minute (the longest window of its limits)."""
    return float(header) if header.isdecimal() else _DEFAULT_PAUSE_S
