"""An exchange whose longer candles are sums of its minutes, and a database collected from it."""

from __future__ import annotations

import contextlib
import random
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any

from penstock.market.candle import Candle
from penstock.market.collect.collection import Collection, CollectOptions
from penstock.market.collect.ranges import Wish
from penstock.market.instrument import SeriesKey
from penstock.market.timeframe import Timeframe
from penstock.market.verify.order import VerifyOrder
from penstock.market.verify.runs import VerifyRuns
from penstock.market.verify.work import VerifyParts
from penstock.store.checks import checks_of
from tests.listed_source import ListedSource
from tests.market_builders import MINUTE, ORIGIN, instrument, opened

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from penstock.market.source import PageAnswer, PageRequest
    from tests.market_builders import Opened

DAY = 1_440 * MINUTE
STEPS = (Timeframe.M1, Timeframe.M5, Timeframe.H1, Timeframe.D1)
_AMOUNTS = ("volume", "quote_volume", "taker_base", "taker_quote")


def minutes(count: int, *, first: int = ORIGIN, seed: int = 7) -> list[Candle]:
    """Neighbouring minutes with eight decimals each, some of them quiet."""
    chosen, rows, price = random.Random(seed), [], 6_000_000
    for opens in range(first, first + count * MINUTE, MINUTE):
        last, price = price, max(2, price + chosen.randint(-900, 900) * chosen.randint(0, 1))
        high, low = (
            max(last, price) + chosen.randint(0, 50),
            min(last, price) - chosen.choice([0, 0, 1]),
        )
        prices = {"open": last, "high": high, "low": low, "close": price}
        amounts = {name: chosen.choice([0, chosen.randrange(10**12)]) for name in _AMOUNTS}
        texts = {name: f"{value // 100}.{value % 100:02d}000000" for name, value in prices.items()}
        texts |= {name: f"{value // 10**8}.{value % 10**8:08d}" for name, value in amounts.items()}
        rows.append(
            Candle(
                open_time=opens,
                close_time=opens + MINUTE - 1,
                trades=chosen.randrange(900),
                **texts,
            )
        )
    return rows


def longer(rows: Sequence[Candle], step: Timeframe) -> list[Candle]:
    """The candles of a longer step, summed from minutes."""
    made: dict[int, list[Candle]] = {}
    for row in rows:
        made.setdefault(step.floor(row.open_time), []).append(row)
    return [
        Candle(
            open_time=opens,
            close_time=step.shift(opens, 1) - 1,
            open=parts[0].open,
            high=max((part.high for part in parts), key=Decimal),
            low=min((part.low for part in parts), key=Decimal),
            close=parts[-1].close,
            trades=sum(part.trades or 0 for part in parts),
            **{
                name: f"{sum(Decimal(getattr(part, name)) for part in parts):f}"
                for name in _AMOUNTS
            },
        )
        for opens, parts in made.items()
    ]


@dataclass
class Shelf(ListedSource):
    """An exchange with rows for each step."""

    of: dict[Timeframe, list[Candle]] = field(default_factory=dict)

    async def candles(self, request: PageRequest) -> PageAnswer:
        self.rows = self.of.get(request.series.timeframe, [])
        return await super().candles(request)

    def change(self, step: Timeframe, opens: int, **given: Any) -> None:
        """Change values of a candle at the exchange."""
        self.of[step] = [
            replace_candle(row, **given) if row.open_time == opens else row for row in self.of[step]
        ]


def replace_candle(row: Candle, **given: Any) -> Candle:
    return Candle(**({name: getattr(row, name) for name in Candle.__struct_fields__} | given))


@dataclass(frozen=True)
class Stocked:
    """A database with the candles of the shelf."""

    store: Opened
    shelf: Shelf

    async def collect(self, *steps: Timeframe, **wish: Any) -> None:
        run = await self.store.run()
        collection = Collection(
            self.shelf, self.store.store, self.store.context(run), CollectOptions(flush_s=0.0)
        )
        keys = [SeriesKey(instrument(), step) for step in steps or STEPS]
        await collection.collect(keys, Wish(**({"since": ORIGIN} | wish)))
        await self.store.finish(run)

    async def verify(self, **order: Any) -> dict[str, Any]:
        """The report of a run."""

        async def source_of(_exchange: str) -> Shelf:
            return self.shelf

        checks = checks_of(self.store.database.url.get_backend_name())
        runs = VerifyRuns(
            VerifyParts(
                reader=self.store.database,
                checks=checks,
                store=self.store.store,
                options=CollectOptions(flush_s=0.0),
                source_of=source_of,
            )
        )
        run = await self.store.ledger.start(await runs.submission(VerifyOrder(**order)))
        result = await runs.work(self.store.context(run))
        await self.store.finish(run)
        return dict(result.summary())

    async def plant(self, statement: str, **values: Any) -> None:
        """Change stored rows without the program; times are written as @name."""
        for name in [word for word in values if statement.count(f"@{word}")]:
            sqlite = self.store.database.file is not None
            statement = statement.replace(
                f"@{name}",
                f":{name}" if sqlite else f"to_timestamp(CAST(:{name} AS bigint) / 1000.0)",
            )
        await self.store.change(statement, **values)

    async def series_id(self, step: Timeframe = Timeframe.M1) -> int:
        return (await self.store.target(SeriesKey(instrument(), step))).series_id


@cache
def history(count: int, steps: Sequence[Timeframe], gap: range) -> Mapping[Timeframe, list[Candle]]:
    """The rows for each step, cached because they are slow to make."""
    rows = [row for place, row in enumerate(minutes(count)) if place not in gap]
    tail = minutes(3, first=ORIGIN + count * MINUTE, seed=8)
    return {step: longer([*rows, *tail], step) for step in steps}


@contextlib.asynccontextmanager
async def stocked(
    url: str, *, count: int = 1_500, steps: Sequence[Timeframe] = STEPS, gap: range = range(0)
) -> AsyncIterator[Stocked]:
    """Minutes from ORIGIN and their sums, without those in `gap`; the exchange is 30 s ahead."""
    now = ORIGIN + count * MINUTE + MINUTE // 2
    async with holding(url, dict(history(count, tuple(steps), gap)), now) as stock:
        yield stock


@contextlib.asynccontextmanager
async def holding(url: str, of: dict[Timeframe, list[Candle]], now: int) -> AsyncIterator[Stocked]:
    """A database that was collected at this time from an exchange with these rows."""
    async with opened(url, migrated=False) as store:
        stock = Stocked(store, Shelf([], now, page_limit=1_000, of=of))
        await stock.collect(*of)
        yield stock
