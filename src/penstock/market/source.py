"""The port to an exchange: instruments, its clock, pages of candles. It knows no SQL and no run."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from penstock.http.client import HttpLimits
from penstock.http.governor import Budget, LocalBudget, Wait
from penstock.market.candle import AMOUNTS
from penstock.market.timeframe import Timeframe

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from penstock.market.candle import Candle, Rejected
    from penstock.market.instrument import Instrument, SeriesKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A provider allows `amount` of its `currency` in each `window_s`; a page costs `page`."""

    amount: int
    page: int = 1
    window_s: int = 60
    currency: str = "requests"


class Quiet(StrEnum):
    """Whether a step without trades comes as a candle."""

    PRESENT = "present"
    ABSENT = "absent"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """What a source says of itself, on its class as `declaration`.

    A page has at most `page_limit` rows. The candles of `timeframes` open on the grid of
    penstock.market.timeframe. `history` is how many of the newest candles of a series can be asked
    for (None: all). `newest_first`: a page has the newest rows of its range, the newest first.
    `columns` are those of penstock.market.candle.AMOUNTS that it sends. `hosts` are the provider's
    own; they share one `limit`.
    """

    name: str
    page_limit: int
    limit: Limit
    hosts: Sequence[str] = ()
    markets: Sequence[str] = ("spot",)
    timeframes: frozenset[Timeframe] = frozenset(Timeframe)
    history: int | None = None
    newest_first: bool = False
    quiet: Quiet = Quiet.UNKNOWN
    columns: frozenset[str] = AMOUNTS

    def is_own(self, url: str) -> bool:
        """Whether an address is one of the provider's own."""
        host = urlsplit(url).hostname or ""
        return url.startswith("https:") and any(
            host == own or host.endswith(f".{own}") for own in self.hosts
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRequest:
    """A page of candles that open in `start ≤ t < end` (ms), at most `limit` rows.

    With `start`, the oldest rows of the range; without it, the newest.
    """

    series: SeriesKey
    limit: int
    start: int | None = None
    end: int | None = None


@dataclass(frozen=True, slots=True)
class PageAnswer:
    """What the exchange sent: rows in its order, and rows that could not be decoded.

    It flags as closed what opens before `closed_before`, if it flags that.
    """

    candles: Sequence[Candle]
    rejected: Sequence[Rejected] = field(default=())
    closed_before: int | None = None

    @property
    def rows(self) -> int:
        """Number of rows, good or bad."""
        return len(self.candles) + len(self.rejected)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceConfig:
    """What a source is made of; an entry point of the group `penstock.sources` is called with one.

    None means the provider's own address and its own limit. `budget` is shared with all processes
    that use the same address.
    """

    base_url: str | None = None
    limit_per_window: int | None = None
    http: HttpLimits = field(default_factory=HttpLimits)
    budget: Budget = field(default_factory=LocalBudget)


class SourceClass(Protocol):
    """What an entry point of the group `penstock.sources` names."""

    declaration: Declaration

    def __call__(self, config: SourceConfig, /) -> MarketSource:
        """A source that is not open yet."""


class MarketSource(AbstractAsyncContextManager["MarketSource"], Protocol):
    """An exchange, to be used in an `async with` block.

    All methods raise RetryableError or SourceRefusedError of `penstock.errors`, after their own
    retries. `pages_per_minute` is what the exchange allows. `real_time`: its clock must be close to
    ours, unlike that of a simulator or a replay.
    """

    pages_per_minute: int
    real_time: bool

    @property
    def declaration(self) -> Declaration:
        """What the source says of itself."""

    @property
    def address(self) -> str:
        """Where its requests go, and by which proxy, in words."""

    def waiting(self) -> Wait | None:
        """What keeps it from sending requests now, if anything."""

    async def server_time(self) -> int:
        """The exchange's time, ms; never ahead of the real one."""

    async def instruments(self) -> Sequence[Instrument]:
        """Everything that the exchange lists, also what no longer trades."""

    async def volumes(self) -> Mapping[str, float]:
        """The volume of the last 24 h in the quote currency, by native symbol."""

    async def candles(self, request: PageRequest) -> PageAnswer:
        """A page of candles."""
