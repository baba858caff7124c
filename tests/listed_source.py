"""An exchange that answers from a list of rows by Binance's range rule, for property tests."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self

from penstock.errors import SourceUnavailableError
from penstock.market.source import Declaration, Limit, PageAnswer, PageRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

    from penstock.http.governor import Wait
    from penstock.market.candle import Candle, Rejected
    from penstock.market.instrument import Instrument


@dataclass
class ListedSource:
    """`spoil` may change a page; each page gets the `rejected` rows.

    Requests from number `fails_from` on fail.
    """

    rows: Sequence[Candle]
    now: int
    page_limit: int = 3
    address = "in memory"
    spoil: Callable[[list[Candle]], list[Candle]] = list
    rejected: Sequence[Rejected] = ()
    fails_from: int | None = None
    requests: int = 0
    asked: list[PageRequest] = field(default_factory=list)
    # Answers with its newest rows to a request with a start and no end.
    ignores_start: bool = False
    name: str = "binance"
    pages_per_minute: int = 3_000
    real_time: bool = False

    @property
    def declaration(self) -> Declaration:
        return Declaration(name=self.name, page_limit=self.page_limit, limit=Limit(amount=3_000))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Nothing to close."""

    def waiting(self) -> Wait | None:
        return None

    async def server_time(self) -> int:
        return self.now

    async def instruments(self) -> Sequence[Instrument]:
        return []

    async def volumes(self) -> Mapping[str, float]:
        return {}

    async def candles(self, request: PageRequest) -> PageAnswer:
        self.requests += 1
        self.asked.append(request)
        if self.fails_from is not None and self.requests >= self.fails_from:
            raise SourceUnavailableError("the exchange is out")
        low = (
            request.start
            if request.start is not None and not (self.ignores_start and request.end is None)
            else 0
        )
        high = request.end if request.end is not None else self.now + 1
        inside = [row for row in self.rows if low <= row.open_time < min(high, self.now + 1)]
        if self.ignores_start and request.end is None:
            request = replace(request, start=None)
        limit = min(request.limit, self.page_limit)
        rows = self.spoil(inside[:limit] if request.start is not None else inside[-limit:])
        return PageAnswer(rows, self.rejected[: max(0, request.limit - len(rows))])
