"""An exchange that lies for a while: what it answers is short, empty, stale, shifted or repeated; then it is honest."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from penstock.market.source import Answer
from tests.listed_source import ListedSource
from tests.market_builders import candle

if TYPE_CHECKING:
    from penstock.market.candle import Candle
    from penstock.market.source import PageRequest

HOUR = 3_600_000
LIES = ("short", "empty", "stale", "shifted", "repeated")


@dataclass
class LyingSource(ListedSource):
    """Lies in a share of its answers until `honest_from`; `told` counts the lies by kind."""

    chosen: random.Random = field(default_factory=random.Random)
    honest_from: int = 0
    share: float = 0.3
    last: Answer = field(default_factory=lambda: Answer([]))
    told: dict[str, int] = field(default_factory=dict)

    async def candles(self, request: PageRequest) -> Answer:
        answer = await super().candles(request)
        if self.now < self.honest_from and self.chosen.random() < self.share:
            lie = self.chosen.choice(LIES)
            answer = await self._lie(lie, request, answer)
            self.told[lie] = self.told.get(lie, 0) + 1
        self.last = answer
        return answer

    async def _lie(self, lie: str, request: PageRequest, answer: Answer) -> Answer:
        rows = list(answer.candles)
        match lie:
            case "short":
                return Answer(rows[: self.chosen.randint(0, len(rows))])
            case "empty":
                return Answer([])
            case "stale":
                return await self._as_of(self.now - self.chosen.randint(1, 30) * HOUR // 2, request)
            case "shifted":
                by = self.chosen.choice([-30, -3, -1, 1, 3, 30]) * HOUR
                start, end = (None if at is None else max(0, at + by) for at in (request.start, request.end))
                return await super().candles(replace(request, start=start, end=end))
            case _:
                return self.last

    async def _as_of(self, then: int, request: PageRequest) -> Answer:
        """As a replica answers that is behind: its newest candle is not whole yet."""
        now, self.now = self.now, then
        try:
            rows = list((await super().candles(request)).candles)
        finally:
            self.now = now
        if rows and rows[-1].close_time >= then:
            rows[-1] = unfinished(rows[-1])
        return Answer(rows)


def unfinished(row: Candle) -> Candle:
    return candle(row.open_time, close_time=row.close_time, close="100.5", trades=0, volume="0.5")


def history(chosen: random.Random, first: int, count: int) -> list[Candle]:
    """Hours from a listing on, with outages."""
    rows: list[Candle] = []
    at = first
    while len(rows) < count:
        run = chosen.randint(1, 60)
        rows += [
            candle(at + step * HOUR, close_time=at + (step + 1) * HOUR - 1, trades=step + 1, close=f"{100 + step % 10}.5") for step in range(run)
        ]
        at += (run + chosen.choice([0, 1, 2, 5, 40])) * HOUR
    return rows
