"""The HTTP client of sources: deadlines, size limits, retries with jitter, pauses, proxies."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeVar

import aiohttp
import structlog

from penstock.errors import (
    RateLimitedError,
    RetryableError,
    SourceRefusedError,
    SourceUnavailableError,
)
from penstock.http.deadlines import deadlines
from penstock.http.decoding import PAGE_BYTES, Decoding
from penstock.http.download import Download, DownloadLimits, first_byte
from penstock.http.governor import LONGEST_PAUSE_S, Wait, WaitReason
from penstock.http.proxy import proxy_for
from penstock.http.refusals import Refusals
from penstock.http.tally import request_sent
from penstock.http.unpacked import first_bytes, pieces
from penstock.loop import Outage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Container, Mapping

    from penstock.http.governor import Governor

T = TypeVar("T")

_log = structlog.stdlib.get_logger()

_EXCERPT_BYTES = 200
_ERROR_BYTES = 65_536
_OK = 200
_SERVER_ERRORS = 500
_REDIRECTS = range(300, 400)
_REQUEST_TIMEOUT = 408
_PROXY_WANTS_PASSWORD = 407
_RATE_LIMITED = (429, 418)
# What a request may be sent again for: not for a database that cannot count it.
_OF_PROVIDER = (RateLimitedError, SourceUnavailableError)
_MAX_PAUSE_DIGITS = 6
_MAX_WEIGHT_DIGITS = 11
_LONGEST_BACKOFF_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpLimits:
    """The limits of one request, and its proxy.

    `idle_s` limits each silence, connecting included; `deadline_s` limits one attempt up to the
    last byte. `attempts` includes the first. The client waits for a provider's pause of up to
    `longest_pause_s`; a longer one ends the request with RateLimitedError. `proxy` overrides the
    environment; see `proxy_for`.
    """

    idle_s: float = 10.0
    deadline_s: float = 60.0
    attempts: int = 4
    backoff_s: float = 0.25
    longest_pause_s: float = 60.0
    connections: int = 10
    proxy: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpHabits:
    """What is particular to a provider.

    `headers` go with every request. The response header `weight_header` holds the provider's own
    count. `pause_s` applies to a 429 without a readable `Retry-After`. `is_transient` tells by
    status and body whether a refusal may pass. `advice` says what to do about a refusal, by status.
    `blocked_statuses` refuse all requests from our address: the client then switches to
    `fallback_url`, if there is one, for the rest of its life.
    """

    headers: Mapping[str, str] = field(default_factory=dict)
    weight_header: str = ""
    pause_s: float = 60.0
    is_transient: Callable[[int, bytes], bool] = lambda _status, _body: False
    advice: Mapping[int, str] = field(default_factory=dict)
    blocked_statuses: Container[int] = ()
    fallback_url: str = ""


class HttpClient:
    """Sends requests to one provider, all through its governor."""

    def __init__(
        self, base_url: str, governor: Governor, limits: HttpLimits, habits: HttpHabits
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._fallback_url = habits.fallback_url
        self._proxy = proxy_for(base_url, limits.proxy)
        self._governor = governor
        self._limits = limits
        self._habits = habits
        self._refusals = Refusals(habits.pause_s)
        self._session: aiohttp.ClientSession | None = None
        self._decoding = Decoding()
        self._answered = Counter[str]()
        self._silent: dict[str, Outage] = {}
        self._in_flight = 0
        self._retries_at: list[float] = []

    async def __aenter__(self) -> Self:
        # A compressed body can grow a thousandfold: `pieces` decompresses it up to a limit.
        # The deadlines are ours too.
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=self._limits.connections, resolver=aiohttp.ThreadedResolver()
            ),
            headers={"Accept-Encoding": "gzip", "User-Agent": "penstock", **self._habits.headers},
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return self

    async def __aexit__(self, *_ended: object) -> None:
        self._decoding.close()
        if self._session is not None:
            await self._session.close()

    @property
    def address(self) -> str:
        """The address and the proxy, for people."""
        return f"{self._base_url}{self._via_proxy}"

    @property
    def waiting(self) -> Wait | None:
        """What holds back all requests now."""
        if self._governor.waiting is None and self._retries_at and not self._in_flight:
            return Wait(min(self._retries_at), WaitReason.NO_ANSWER)
        return self._governor.waiting

    async def get(
        self,
        path: str,
        params: Mapping[str, str],
        *,
        weight: int,
        decode: Callable[[bytes], T],
        most_bytes: int = PAGE_BYTES,
    ) -> T:
        """The decoded body of a 200 answer, up to `most_bytes` long when decompressed.

        `decode` raises SourceUnavailableError for a body that is not what was promised; that is
        retried like a timeout. Raises RateLimitedError, SourceUnavailableError (after the last
        attempt) or SourceRefusedError.
        """

        async def attempt() -> T:
            exchange = partial(self._exchange, path, params, most_bytes)
            body = await self._attempt(path, weight, exchange)
            return await self._decoding.decoded(decode, body, any_length=most_bytes > PAGE_BYTES)

        answered = self._answered[path]
        try:
            answer = await self._with_fallback(attempt)
        except _OF_PROVIDER as error:
            # An answer to another request meanwhile shows that the provider works.
            if self._answered[path] == answered:
                self._log_silence(path, error)
            raise
        self._log_recovery(path)
        return answer

    async def _with_fallback(self, attempt: Callable[[], Awaitable[T]]) -> T:
        base_url = self._base_url
        try:
            return await self._repeated(attempt, self._limits)
        except SourceRefusedError as error:
            if (
                error.status is None
                or error.status not in self._habits.blocked_statuses
                or not self._switched(base_url, error)
            ):
                raise
        return await self._repeated(attempt, self._limits)

    def _switched(self, base_url: str, error: SourceRefusedError) -> bool:
        """Whether the client no longer uses `base_url`; the first refused request switches."""
        if self._base_url == base_url and self._fallback_url:
            _log.warning(
                "the provider refuses us, switching to its other address",
                provider=base_url,
                to=self._fallback_url,
                error=str(error),
            )
            self._base_url, self._fallback_url = self._fallback_url, ""
            self._proxy = proxy_for(self._base_url, self._limits.proxy)
            self._refusals = Refusals(self._habits.pause_s)
        return self._base_url != base_url

    def _log_silence(self, path: str, error: RetryableError) -> None:
        silence = Outage(
            "the provider does not answer",
            "the provider answers again",
            provider=self._base_url,
            path=path,
        )
        self._silent.setdefault(path, silence).began(error)

    def _log_recovery(self, path: str) -> None:
        self._answered[path] += 1
        if path in self._silent:
            self._silent.pop(path).ended()

    @contextlib.asynccontextmanager
    async def download(
        self, path: str, limits: DownloadLimits, *, weight: int
    ) -> AsyncIterator[Download]:
        """The body of a 200 answer as it arrives, possibly compressed.

        Retries until the first byte; raises every failure after it. The errors are those of `get`.
        """
        async with contextlib.AsyncExitStack() as stack:

            async def attempt() -> Download:
                return await self._attempt(path, weight, lambda: self._begin(stack, path, limits))

            yield await self._repeated(attempt, limits)

    async def _repeated(
        self, attempt: Callable[[], Awaitable[T]], limits: HttpLimits | DownloadLimits
    ) -> T:
        for number in range(1, limits.attempts + 1):
            try:
                return await attempt()
            except _OF_PROVIDER as error:
                if number == limits.attempts:
                    raise
                if (pause_s := self._before_retry(error, limits.backoff_s * 2**number)) > 0:
                    await self._back_off(pause_s)
        raise AssertionError

    async def _back_off(self, seconds: float) -> None:
        at = self._governor.now() + seconds
        self._retries_at.append(at)
        try:
            await asyncio.sleep(seconds)
        finally:
            self._retries_at.remove(at)

    def _before_retry(self, error: RetryableError, backoff_s: float) -> float:
        if isinstance(error, RateLimitedError):
            if error.retry_after_s > self._limits.longest_pause_s:
                raise error
            return 0.0
        return random.uniform(0, min(backoff_s, _LONGEST_BACKOFF_S))  # noqa: S311 - jitter

    async def _attempt(self, path: str, weight: int, exchange: Callable[[], Awaitable[T]]) -> T:
        self._refusals.check()
        if pause_s := await self._governor.admit(
            weight, longest_pause_s=self._limits.longest_pause_s
        ):
            raise RateLimitedError(
                f"{self._base_url} asked us to wait; try again in {pause_s:.0f} s",
                retry_after_s=pause_s,
            )
        request_sent()
        self._in_flight += 1
        try:
            answer = await exchange()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._failure(path, error) from error
        finally:
            self._in_flight -= 1
        self._refusals.reset()
        return answer

    def _failure(self, path: str, error: Exception) -> Exception:
        if self._proxy is not None and (failure := self._proxy.failure(error)) is not None:
            return failure
        return SourceUnavailableError(
            f"GET {self._base_url}{path}{self._via_proxy}: {str(error) or type(error).__name__}"
        )

    @property
    def _via_proxy(self) -> str:
        return f" via {self._proxy}" if self._proxy else ""

    async def _exchange(self, path: str, params: Mapping[str, str], most_bytes: int) -> bytes:
        asked_at = self._governor.now()
        async with (
            deadlines(idle_s=self._limits.idle_s, total_s=self._limits.deadline_s) as received,
            self._opened().get(
                self._base_url + path, params=params, allow_redirects=False, **self._proxy_options
            ) as response,
        ):
            used = response.headers.get(self._habits.weight_header, "")
            if used.isdecimal() and len(used) <= _MAX_WEIGHT_DIGITS:
                await self._governor.observe(int(used), asked_at=asked_at)
            body = await self._read(response, received, most_bytes)
            if response.status != _OK:
                raise await self._error(response, body)
            return body

    async def _begin(
        self, stack: contextlib.AsyncExitStack, path: str, limits: DownloadLimits
    ) -> Download:
        until = asyncio.get_running_loop().time() + limits.total_s
        request = self._opened().get(
            self._base_url + path,
            allow_redirects=False,
            **self._proxy_options,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._limits.idle_s),
        )
        async with contextlib.AsyncExitStack() as ours:
            async with first_byte(limits):
                response = await ours.enter_async_context(request)
                if response.status != _OK:
                    raise await self._error(response, await first_bytes(response, _ERROR_BYTES))
            await stack.enter_async_context(ours.pop_all())
        return Download(response, limits, until)

    @property
    def _proxy_options(self) -> Mapping[str, Any]:
        return self._proxy.options(self._base_url) if self._proxy else {}

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("the HTTP client is used outside its `async with` block")
        return self._session

    async def _read(
        self, response: aiohttp.ClientResponse, received: Callable[[], None], most_bytes: int
    ) -> bytes:
        body = bytearray()
        async for piece in pieces(response, received):
            body += piece
            if len(body) > most_bytes:
                response.close()
                raise SourceUnavailableError(
                    f"GET {response.url}: the answer is larger than {most_bytes} bytes"
                )
        return bytes(body)

    async def _error(self, response: aiohttp.ClientResponse, body: bytes) -> Exception:
        excerpt = body[:_EXCERPT_BYTES].decode("utf-8", "replace")
        message = f"GET {response.url}{self._via_proxy}: HTTP {response.status} {excerpt}".rstrip()
        if response.status == _PROXY_WANTS_PASSWORD and self._proxy is not None:
            return self._proxy.password_needed()
        if response.status in _RATE_LIMITED:
            pause_s = _retry_after_s(response.headers.get("Retry-After", ""), self._habits.pause_s)
            await self._governor.pause(pause_s)
            return RateLimitedError(message, retry_after_s=pause_s)
        if (
            response.status >= _SERVER_ERRORS
            or response.status == _REQUEST_TIMEOUT
            or response.status in _REDIRECTS
            or self._habits.is_transient(response.status, body)
        ):
            return SourceUnavailableError(message)
        return self._refusal(response, message)

    def _refusal(self, response: aiohttp.ClientResponse, message: str) -> SourceRefusedError:
        advice = self._habits.advice.get(response.status)
        blocked = response.status in self._habits.blocked_statuses
        refusal = SourceRefusedError(
            f"{advice} ({message})" if advice else message,
            status=response.status,
            blanket=blocked,
        )
        if not blocked:
            self._refusals.reset()
        elif str(response.url).startswith(self._base_url):
            # A request that was in flight during the switch says nothing about the new address.
            self._refusals.add(refusal)
        return refusal


def _retry_after_s(header: str, default_s: float) -> float:
    """The seconds of a Retry-After; the default for a senseless one, such as a time."""
    readable = header.isdecimal() and len(header) <= _MAX_PAUSE_DIGITS
    return float(header) if readable and int(header) <= LONGEST_PAUSE_S else default_s
