"""HTTP for sources: deadlines for silence and for all, capped bodies, no redirects, retries with jitter, `Retry-After` obeyed, proxies used."""

from __future__ import annotations

import asyncio
import contextlib
import random
import zlib
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self, TypeVar

import aiohttp
import structlog

from penstock.errors import (
    RateLimitedError,
    RetryableError,
    SourceRefusedError,
    SourceUnavailableError,
)
from penstock.http.barred import Barred
from penstock.http.deadlines import deadlines
from penstock.http.download import Download, DownloadLimits, first_byte
from penstock.http.governor import Wait, Why
from penstock.http.proxy import proxy_for
from penstock.http.tally import request_sent
from penstock.http.unpacked import pieces
from penstock.loop import Outage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Container, Mapping
    from types import TracebackType

    from penstock.http.governor import Governor

T = TypeVar("T")

_log: structlog.stdlib.BoundLogger = structlog.get_logger()

_EXCERPT_BYTES = 200
_ERROR_BYTES = 65_536
_OK = 200
_SERVER_ERRORS = 500
_REDIRECTS = range(300, 400)
_REQUEST_TIMEOUT = 408
_PROXY_WANTS_PASSWORD = 407
_RATE_LIMITED = (429, 418)
_SENSELESS_DIGITS = 12
_LONGEST_BACKOFF_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpLimits:
    """How far one request may go, and which way.

    `idle_s` is how long nothing may come, from connecting on, `deadline_s` the total of one attempt, to the last byte; `attempts` includes the first;
    a provider's pause of up to `longest_pause_s` is waited for, a longer one ends the request with RateLimitedError. `body_bytes` counts what is
    unpacked. `proxy` goes before those of the environment; see `proxy_for`.
    """

    idle_s: float = 10.0
    deadline_s: float = 60.0
    attempts: int = 4
    backoff_s: float = 0.25
    longest_pause_s: float = 60.0
    body_bytes: int = 32 * 1024 * 1024
    connections: int = 10
    proxy: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpHabits:
    """What is particular to a provider.

    `headers` go with every request, `weight_header` of an answer holds the provider's own count, `pause_s` is what a 429 without a readable
    `Retry-After` means, `passes` says of a status and a body that would be a refusal that they may be different later, and `means` tells a person
    what to do about a refusal, by its status. `bars` are the statuses that refuse the address we come from, whatever is asked: then the client goes
    over to `elsewhere`, if there is such an address, and for the rest of its life.
    """

    headers: Mapping[str, str] = field(default_factory=dict)
    weight_header: str = ""
    pause_s: float = 60.0
    passes: Callable[[int, bytes], bool] = lambda _status, _body: False
    means: Mapping[int, str] = field(default_factory=dict)
    bars: Container[int] = ()
    elsewhere: str = ""


class Turnstile:
    """Lets one task through in each turn of the event loop: ten answers that came together are ten short turns, not a long one."""

    def __init__(self) -> None:
        self._one = asyncio.Semaphore(1)

    async def passed(self) -> None:
        """Wait for one's turn."""
        async with self._one:
            await asyncio.sleep(0)


class HttpClient:
    """Requests to one provider, all through its governor."""

    def __init__(
        self, base_url: str, governor: Governor, limits: HttpLimits, habits: HttpHabits
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._elsewhere = habits.elsewhere
        self._proxy = proxy_for(base_url, limits.proxy)
        self._governor = governor
        self._limits = limits
        self._habits = habits
        self._barred = Barred(habits.pause_s)
        self._session: aiohttp.ClientSession | None = None
        self._turnstile = Turnstile()
        self._answered = Counter[str]()
        self._silent: dict[str, Outage] = {}
        self._under_way = 0
        # When requests are sent again that got no answer.
        self._again_at: list[float] = []

    async def __aenter__(self) -> Self:
        # What comes compressed could grow a thousandfold, so it is unpacked here, with a limit, and not by aiohttp. The deadlines are ours too.
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

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()

    @property
    def way(self) -> str:
        """Where requests go, and by which proxy, for a person to read."""
        return f"{self._base_url} by {self._proxy}" if self._proxy else self._base_url

    @property
    def waiting(self) -> Wait | None:
        """What keeps all requests from being sent now, if anything does."""
        if self._governor.waiting is None and self._again_at and not self._under_way:
            return Wait(min(self._again_at), Why.SILENT)
        return self._governor.waiting

    async def get(
        self, path: str, params: Mapping[str, str], *, weight: int, decode: Callable[[bytes], T]
    ) -> T:
        """The decoded body of a 200 answer.

        `decode` raises SourceUnavailableError when the body is not what was promised; that is retried like a time-out. Raises
        RateLimitedError, SourceUnavailableError (after the last attempt) or SourceRefusedError.
        """

        async def attempt() -> T:
            body = await self._attempt(path, weight, lambda: self._exchange(path, params))
            await self._turnstile.passed()
            return decode(body)

        answered = self._answered[path]
        try:
            answer = await self._here_or_elsewhere(attempt)
        except RetryableError as error:
            # What others got meanwhile shows that only this request fails, not the provider.
            if self._answered[path] == answered:
                self._fell_silent(path, error)
            raise
        self._answers(path)
        return answer

    async def _here_or_elsewhere(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """What is refused for where we come from is asked for once more, at the other address."""
        base_url = self._base_url
        try:
            return await self._repeated(attempt, self._limits.attempts, self._limits.backoff_s)
        except SourceRefusedError as error:
            if (
                error.status is None
                or error.status not in self._habits.bars
                or not self._gone_over(base_url, error)
            ):
                raise
        return await self._repeated(attempt, self._limits.attempts, self._limits.backoff_s)

    def _gone_over(self, base_url: str, error: SourceRefusedError) -> bool:
        """Whether the client has another address now than this one, which refused us; the first request to hear of it goes over for all."""
        if self._base_url == base_url and self._elsewhere:
            _log.warning(
                "the provider refuses us, going over to its other address",
                provider=base_url,
                to=self._elsewhere,
                error=str(error),
            )
            self._base_url, self._elsewhere = self._elsewhere, ""
            self._proxy = proxy_for(self._base_url, self._limits.proxy)
            self._barred = Barred(self._habits.pause_s)
        return self._base_url != base_url

    def _fell_silent(self, path: str, error: RetryableError) -> None:
        silence = Outage(
            "the provider does not answer",
            "the provider answers again",
            provider=self._base_url,
            path=path,
        )
        self._silent.setdefault(path, silence).began(error)

    def _answers(self, path: str) -> None:
        self._answered[path] += 1
        if path in self._silent:
            self._silent.pop(path).ended()

    @contextlib.asynccontextmanager
    async def download(
        self, path: str, limits: DownloadLimits, *, weight: int
    ) -> AsyncIterator[Download]:
        """The body of a 200 answer as it comes, maybe compressed.

        Until the first byte it is asked for again like any other; after that whatever goes wrong is raised. The errors are those of `get`.
        """
        async with contextlib.AsyncExitStack() as stack:

            async def attempt() -> Download:
                return await self._attempt(path, weight, lambda: self._begin(stack, path, limits))

            yield await self._repeated(attempt, limits.attempts, limits.backoff_s)

    async def _repeated(
        self, attempt: Callable[[], Awaitable[T]], attempts: int, backoff_s: float
    ) -> T:
        for number in range(1, attempts + 1):
            try:
                return await attempt()
            except RetryableError as error:
                if number == attempts:
                    raise
                if (pause_s := self._before_retry(error, backoff_s * 2**number)) > 0:
                    await self._back_off(pause_s)
        raise AssertionError

    async def _back_off(self, seconds: float) -> None:
        at = self._governor.now() + seconds
        self._again_at.append(at)
        try:
            await asyncio.sleep(seconds)
        finally:
            self._again_at.remove(at)

    def _before_retry(self, error: RetryableError, backoff_s: float) -> float:
        if isinstance(error, RateLimitedError):
            if error.retry_after_s > self._limits.longest_pause_s:
                raise error
            return 0.0
        return random.uniform(0, min(backoff_s, _LONGEST_BACKOFF_S))  # noqa: S311 - jitter, nobody has to be unable to guess it

    async def _attempt(self, path: str, weight: int, exchange: Callable[[], Awaitable[T]]) -> T:
        self._barred.check()
        if pause_s := await self._governor.admit(
            weight, longest_pause_s=self._limits.longest_pause_s
        ):
            message = f"{self._base_url} told us to wait {pause_s:.0f} s more"
            raise RateLimitedError(message, retry_after_s=pause_s)
        request_sent()
        self._under_way += 1
        try:
            answer = await exchange()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._failure(path, error) from error
        finally:
            self._under_way -= 1
        self._barred.let_in()
        return answer

    def _failure(self, path: str, error: Exception) -> Exception:
        if self._proxy is not None and (failure := self._proxy.failure(error)) is not None:
            return failure
        return SourceUnavailableError(
            f"GET {self._base_url}{path}{self._by}: {str(error) or type(error).__name__}"
        )

    @property
    def _by(self) -> str:
        return f" by {self._proxy}" if self._proxy else ""

    async def _exchange(self, path: str, params: Mapping[str, str]) -> bytes:
        asked_at = self._governor.now()
        async with (
            deadlines(idle_s=self._limits.idle_s, total_s=self._limits.deadline_s) as heard,
            self._opened().get(
                self._base_url + path, params=params, allow_redirects=False, **self._via
            ) as response,
        ):
            if (used := response.headers.get(self._habits.weight_header, "")).isdecimal() and len(
                used
            ) < _SENSELESS_DIGITS:
                await self._governor.observe(int(used), asked_at=asked_at)
            body = await self._read(response, heard)
            if response.status != _OK:
                raise await self._error(response, body)
            return body

    async def _begin(
        self, stack: contextlib.AsyncExitStack, path: str, limits: DownloadLimits
    ) -> Download:
        until = asyncio.get_running_loop().time() + limits.total_s
        asking = self._opened().get(
            self._base_url + path,
            allow_redirects=False,
            **self._via,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._limits.idle_s),
        )
        async with contextlib.AsyncExitStack() as ours:
            async with first_byte(limits):
                response = await ours.enter_async_context(asking)
                if response.status != _OK:
                    raise await self._error(
                        response, _unpacked(response, await response.content.read(_ERROR_BYTES))
                    )
            await stack.enter_async_context(ours.pop_all())
        return Download(response, limits, until)

    @property
    def _via(self) -> Mapping[str, Any]:
        return self._proxy.options(self._base_url) if self._proxy else {}

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            message = "the HTTP client is used outside of its `async with` block"
            raise RuntimeError(message)
        return self._session

    async def _read(self, response: aiohttp.ClientResponse, heard: Callable[[], None]) -> bytes:
        body = bytearray()
        async for piece in pieces(response, heard):
            body += piece
            if len(body) > self._limits.body_bytes:
                response.close()
                message = (
                    f"GET {response.url}: the answer is larger than {self._limits.body_bytes} bytes"
                )
                raise SourceUnavailableError(message)
        return bytes(body)

    async def _error(self, response: aiohttp.ClientResponse, body: bytes) -> Exception:
        excerpt = body[:_EXCERPT_BYTES].decode("utf-8", "replace")
        message = f"GET {response.url}{self._by}: HTTP {response.status} {excerpt}".rstrip()
        if response.status == _PROXY_WANTS_PASSWORD and self._proxy is not None:
            return self._proxy.wants_password()
        if response.status in _RATE_LIMITED:
            pause_s = _retry_after_s(response.headers.get("Retry-After", ""), self._habits.pause_s)
            await self._governor.pause(pause_s)
            return RateLimitedError(message, retry_after_s=pause_s)
        if (
            response.status >= _SERVER_ERRORS
            or response.status == _REQUEST_TIMEOUT
            or response.status in _REDIRECTS
        ):
            return SourceUnavailableError(message)
        if self._habits.passes(response.status, body):
            return SourceUnavailableError(message)
        meaning = self._habits.means.get(response.status)
        whatever = response.status in self._habits.bars
        refusal = SourceRefusedError(
            f"{meaning} ({message})" if meaning else message,
            status=response.status,
            whatever=whatever,
        )
        if not whatever:
            self._barred.let_in()
        elif str(response.url).startswith(self._base_url):
            # Others that were under way when the client went over to the other address say nothing of that one.
            self._barred.refused(refusal)
        return refusal


def _retry_after_s(header: str, default_s: float) -> float:
    """Seconds to wait, as far as a provider says how many."""
    return float(header) if header.isdecimal() else default_s


def _unpacked(response: aiohttp.ClientResponse, body: bytes) -> bytes:
    """The beginning of a body that may have come compressed, because a download accepts that: enough to tell what it says."""
    if response.headers.get("Content-Encoding", "identity") == "identity":
        return body
    try:
        return zlib.decompressobj(wbits=zlib.MAX_WBITS | 32).decompress(body, _ERROR_BYTES)
    except zlib.error:
        return body
