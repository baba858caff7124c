"""What a market source gives: instruments, the exchange's clock, pages of candles. It knows no SQL, no run, no web."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, Self
from urllib.parse import urlsplit

from penstock.http.client import HttpLimits
from penstock.http.governor import Budget, LocalBudget, Wait
from penstock.market.candle import AMOUNTS
from penstock.market.timeframe import Timeframe

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from penstock.market.candle import Candle, Rejected
    from penstock.market.instrument import Instrument, SeriesKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """What a provider allows: `amount` of its `currency` in each `window_s`, of which a page of candles costs `page`."""

    amount: int
    page: int = 1
    window_s: int = 60
    currency: str = "requests"


class Quiet(StrEnum):
    """Whether a step in which nothing was traded comes as a candle."""

    PRESENT = "present"
    ABSENT = "absent"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """What a source says of itself: it stands on the class as `declaration`.

    A page has at most `page_limit` rows. `timeframes` are those whose candles open on the grid of penstock.market.timeframe. `history` counts the
    newest candles of a series that can still be asked for (None: all). `newest_first`: a page of a range has its newest rows, the newest first.
    `columns` are those of penstock.market.candle.AMOUNTS that it says. `hosts` are the provider's own, which
    count against one `limit` together.
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
            host == one or host.endswith(f".{one}") for one in self.hosts
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRequest:
    """One page of a series, opens from `start` to before `end` (ms), at most `limit` rows.

    With `start` the oldest rows of the range come, without it the newest.
    """

    series: SeriesKey
    limit: int
    start: int | None = None
    end: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What the exchange sent: rows in its order, and rows that could not even be decoded.

    It flags as closed what opens before `closed_before`, where it does that.
    """

    candles: Sequence[Candle]
    rejected: Sequence[Rejected] = field(default=())
    closed_before: int | None = None

    @property
    def rows(self) -> int:
        """Rows sent, good or bad."""
        return len(self.candles) + len(self.rejected)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceConfig:
    """What a source is made of: the entry point of group `penstock.sources` is called with one and gives a MarketSource.

    None stands for what the provider itself publishes: its address, and what it allows in each window of its limit. `budget` is shared with the
    other processes that use the same address.
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


class MarketSource(Protocol):
    """An exchange. All methods raise RetryableError or SourceRefusedError of `penstock.errors`, after their own retries.

    The exchange allows `pages_per_minute`. `in_our_time`: its clock has to be near to ours, which a simulator's or a replay's need not be.
    """

    pages_per_minute: int
    in_our_time: bool

    @property
    def declaration(self) -> Declaration:
        """What it says of itself."""

    @property
    def way(self) -> str:
        """Where its requests go, and by which proxy, for a person to read."""

    async def __aenter__(self) -> Self:
        """Open connections."""

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close connections."""

    def waiting(self) -> Wait | None:
        """What keeps it from sending requests now, if anything does."""

    async def server_time(self) -> int:
        """The exchange's clock, ms; never ahead of the real one."""

    async def instruments(self) -> Sequence[Instrument]:
        """Everything the exchange lists, also what no longer trades."""

    async def volumes(self) -> Mapping[str, float]:
        """The traded volume of the last 24 h in the quote currency, by native symbol."""

    async def candles(self, request: PageRequest) -> Answer:
        """One page."""
