"""An exchange that gives wrong answers for a while, and right ones afterwards.

Its answers are short, stale, shifted, out of order, of another timeframe or cached.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import msgspec

from penstock.market.source import PageAnswer
from tests.listed_source import ListedSource
from tests.market_builders import candle

if TYPE_CHECKING:
    from penstock.market.candle import Candle
    from penstock.market.source import PageRequest

HOUR = 3_600_000
LIES = (
    *("short", "empty", "stale", "shifted", "repeated"),
    *("dropped", "doubled", "swapped", "shorter steps", "microseconds", "cut", "thinned"),
)
# The answers that an exchange may repeat for an hour.
_KEPT_MS = HOUR
# Too few rows to recognise their timeframe.
_MOST_UNKNOWN = 2


@dataclass
class LyingSource(ListedSource):
    """Gives a share of wrong answers until `honest_from`; `lies` counts them by kind."""

    chosen: random.Random = field(default_factory=random.Random)
    honest_from: int = 0
    share: float = 0.3
    last: PageAnswer = field(default_factory=lambda: PageAnswer([]))
    lies: dict[str, int] = field(default_factory=dict)
    # Repeats the first answer to a request for an hour.
    keeps: bool = False
    kept: dict[tuple[object, ...], tuple[int, PageAnswer]] = field(default_factory=dict)

    async def candles(self, request: PageRequest) -> PageAnswer:
        question = (request.start, request.end, request.limit)
        at, kept = self.kept.get(question, (0, PageAnswer([])))
        if self.keeps and self.now < min(self.honest_from, at + _KEPT_MS):
            self.lies["kept"] = self.lies.get("kept", 0) + 1
            return kept
        answer = await self._told(request)
        self.kept[question] = self.now, answer
        return answer

    async def _told(self, request: PageRequest) -> PageAnswer:
        answer = await super().candles(request)
        if self.now < self.honest_from and self.chosen.random() < self.share:
            lie = self.chosen.choice(LIES)
            answer = await self._lie(lie, request, answer)
            self.lies[lie] = self.lies.get(lie, 0) + 1
        self.last = answer
        return answer

    async def _lie(self, lie: str, request: PageRequest, answer: PageAnswer) -> PageAnswer:
        rows = list(answer.candles)
        match lie:
            case "short":
                return PageAnswer(rows[: self.chosen.randint(0, len(rows))])
            case "empty":
                return PageAnswer([])
            case "stale":
                return await self._as_of(self.now - self.chosen.randint(1, 30) * HOUR // 2, request)
            case "shifted":
                by = self.chosen.choice([-30, -3, -1, 1, 3, 30]) * HOUR
                start, end = (
                    None if at is None else max(0, at + by) for at in (request.start, request.end)
                )
                return await super().candles(replace(request, start=start, end=end))
            case "repeated":
                return self.last
            case _:
                return PageAnswer(self._changed(lie, rows))

    def _changed(self, lie: str, rows: list[Candle]) -> list[Candle]:
        at, half = self.chosen.randrange(len(rows) + 1), len(rows) // 2
        shorter = [part for row in rows[: half // 30 + 1] for part in parts(row, 60)][: len(rows)]
        changed = {
            "dropped": rows[:at] + rows[at + 1 :],
            "doubled": rows[:at] + rows[at : at + 1] + rows[at:],
            "swapped": rows[half:] + rows[:half],
            "cut": rows[at % 2 : len(rows) - at // 2 % 2],
            "shorter steps": shorter if len(rows) > _MOST_UNKNOWN else rows,
            "thinned": [row for row in rows if row.open_time % (4 * HOUR) == 0],
            "microseconds": [
                replaced(row, open_time=row.open_time * 1_000, close_time=row.close_time * 1_000)
                for row in rows
            ],
        }
        return changed[lie]

    async def _as_of(self, then: int, request: PageRequest) -> PageAnswer:
        """The answer of a replica that is behind: its newest candle is incomplete."""
        now, self.now = self.now, then
        try:
            rows = list((await super().candles(request)).candles)
        finally:
            self.now = now
        if rows and rows[-1].close_time >= then:
            rows[-1] = unfinished(rows[-1])
        return PageAnswer(rows)


def unfinished(row: Candle) -> Candle:
    return candle(row.open_time, close_time=row.close_time, close="100.5", trades=0, volume="0.5")


def parts(row: Candle, count: int) -> list[Candle]:
    """The row as candles of a shorter timeframe."""
    step = HOUR // count
    return [
        candle(row.open_time + place * step, close_time=row.open_time + (place + 1) * step - 1)
        for place in range(count)
    ]


def replaced(row: Candle, **given: int) -> Candle:
    return msgspec.structs.replace(row, **given)


def history(chosen: random.Random, first: int, count: int) -> list[Candle]:
    """Hours from a listing on, with outages."""
    rows: list[Candle] = []
    at = first
    while len(rows) < count:
        run = chosen.randint(1, 60)
        rows += [
            candle(
                at + step * HOUR,
                close_time=at + (step + 1) * HOUR - 1,
                trades=step + 1,
                close=f"{100 + step % 10}.5",
            )
            for step in range(run)
        ]
        at += (run + chosen.choice([0, 1, 2, 5, 40])) * HOUR
    return rows
