"""Alerts of the ledger, on both databases: confirmed new gaps, and closed candles that changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from penstock.alerts.rules import BadSubject
from penstock.moment import iso
from tests.acceptance.commands import Penstock
from tests.engine.engines import engine
from tests.store.alarm import DAY, HOUR, MINUTE, Alarm

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@dataclass
class Ledger(Alarm):
    """A database whose ledger a test writes; hours count back from the last whole hour."""

    ids: dict[str, int] = field(default_factory=dict)
    whole_hour: int = 0

    async def hour(self, ago: float) -> int:
        self.whole_hour = self.whole_hour or await self.now() // HOUR * HOUR
        return int(self.whole_hour - ago * HOUR)

    async def series(self, symbol: str = "BTC/USDT", timeframe: str = "1m") -> int:
        name = f"{symbol} {timeframe}"
        if name not in self.ids:
            self.ids[name] = number = len(self.ids) + 1
            native, base, quote = symbol.replace("/", ""), *symbol.split("/")
            seen = self.at(await self.now())
            columns = "(id, exchange, market, native_symbol, base, quote, symbol, status, seen_at)"
            values = (
                f"({number}, 'binance', 'spot', '{native}', '{base}', '{quote}', '{symbol}',"
                f" 'trading', {seen})"
            )
            await self.engine.change(
                f"INSERT INTO instrument {columns} VALUES {values} ON CONFLICT DO NOTHING"
            )
            owner = f"(SELECT id FROM instrument WHERE native_symbol = '{native}')"
            await self.engine.change(
                "INSERT INTO series (id, instrument_id, timeframe)"
                f" VALUES ({number}, {owner}, '{timeframe}')"
            )
        return self.ids[name]

    async def span(
        self,
        start_ago: float,
        end_ago: float,
        state: str = "stored",
        *,
        asked: int | None = None,
        of: int | None = None,
    ) -> None:
        series_id = of or await self.series()
        start, end = self.at(await self.hour(start_ago)), self.at(await self.hour(end_ago))
        values = f"({series_id}, {start}, {end}, '{state}', 1, {asked or 'NULL'})"
        await self.engine.change(
            "INSERT INTO coverage (series_id, start_time, end_time, state, run_id, asked)"
            f" VALUES {values}"
        )

    async def restatement(self, *, ago_ms: int, opened_ago: int = 3, of: int | None = None) -> None:
        series_id = of or await self.series()
        opened, at = self.at(await self.hour(opened_ago)), self.at(await self.now() - ago_ms)
        columns = (
            "series_id, open_time, close_time, open, high, low, close, volume, quote_volume,"
            " taker_base, taker_quote, trades"
        )
        values = f"{series_id}, {opened}, {opened}, '1', '1', '1', '1', '1', '1', '1', '1', 1"
        more = f"run_id, reason, restated_by, restated_at) VALUES ({values}, 1, 'changed', 1, {at})"
        await self.engine.change(f"INSERT INTO restatement ({columns}, {more}")

    async def gaps(self) -> list[BadSubject]:
        return list((await self.facts()).bad["new_gaps"])


def holes(symbol: str, timeframe: str, candles: int, first: str) -> BadSubject:
    missing = (
        f"{candles} candles missing in 2 gaps, the first at {first}; see penstock gaps {symbol}"
    )
    return BadSubject(f"binance {symbol} {timeframe}", f"{symbol} {timeframe}: {missing}")


@pytest.fixture
async def ledger(database_url: str) -> AsyncIterator[Ledger]:
    async with engine(database_url) as e:
        yield Ledger(e)


@pytest.mark.parametrize("state", ["unconfirmed", "outage", "rejected"])
async def test_a_hole_confirmed_by_three_answers_fires_and_resolves_when_its_candles_arrive(
    ledger: Ledger, state: str
) -> None:
    await ledger.span(60, 10)
    await ledger.span(10, 9, state, asked=3)
    await ledger.span(9, 1)
    await ledger.evaluate()
    [fired] = await ledger.alerts()
    assert (fired.rule, fired.subject, fired.state) == ("new_gaps", "binance BTC/USDT 1m", "firing")
    first = iso(await ledger.hour(10))
    assert (
        fired.message == "BTC/USDT 1m: 60 candles missing in 1 gap,"
        f" the first at {first}; see penstock gaps BTC/USDT"
    )
    await ledger.engine.change(
        f"UPDATE coverage SET state = 'stored', asked = NULL WHERE state = '{state}'"
    )
    await ledger.evaluate()
    [resolved] = await ledger.alerts()
    assert (resolved.state, resolved.message) == (
        "resolved",
        "BTC/USDT 1m has no hole in its newest candles any more, or only old ones",
    )


async def test_an_alert_resolves_when_its_hole_is_old(ledger: Ledger) -> None:
    await ledger.span(60, 47.5)
    await ledger.span(47.5, 46.5, "outage", asked=6)
    await ledger.span(46.5, 1)
    await ledger.evaluate()
    assert await ledger.states() == {"new_gaps binance BTC/USDT 1m": "firing"}
    for column in ("start_time", "end_time"):
        await ledger.engine.move("coverage", column, -2 * HOUR / 1000)
    await ledger.evaluate()
    assert await ledger.states() == {"new_gaps binance BTC/USDT 1m": "resolved"}


@pytest.mark.parametrize(
    ("state", "asked", "start_ago", "stored_behind"),
    [
        ("unconfirmed", 2, 10, True),
        ("rejected", 1, 10, True),
        ("unconfirmed", 5, 10, False),
        ("outage", 6, 60, True),
        ("failed", 5, 10, True),
        ("not_collected", None, 10, True),
        ("not_listed", 3, 10, True),
        ("delisted", 3, 10, True),
    ],
)
async def test_old_and_unconfirmed_holes_do_not_fire(
    ledger: Ledger, state: str, asked: int | None, start_ago: float, stored_behind: bool
) -> None:
    """Two answers only, no later candle, older than 48 hours, or a state that is not a hole."""
    await ledger.span(start_ago + 5, start_ago)
    await ledger.span(start_ago, start_ago - 1, state, asked=asked)
    if stored_behind:
        await ledger.span(start_ago - 1, start_ago - 2)
    assert await ledger.gaps() == []


async def test_adjacent_holes_of_different_states_all_count(ledger: Ledger) -> None:
    """The ledger separates them: a refused row, a gap with one more answer; candles follow."""
    await ledger.span(60, 10)
    await ledger.span(10, 9, "unconfirmed", asked=3)
    await ledger.span(9, 8, "rejected", asked=4)
    await ledger.span(8, 7, "unconfirmed", asked=1)
    await ledger.span(7, 1)
    await ledger.span(1, 0, "unconfirmed", asked=4)
    assert await ledger.gaps() == [holes("BTC/USDT", "1m", 120, iso(await ledger.hour(10)))]


async def test_each_series_has_its_own_alert(ledger: Ledger) -> None:
    daily, other = await ledger.series(timeframe="1h"), await ledger.series("ETH/USDT")
    for of in (daily, other):
        await ledger.span(60, 20, of=of)
        for start_ago in (20, 10):
            await ledger.span(start_ago, start_ago - 3, "outage", asked=6, of=of)
            await ledger.span(start_ago - 3, start_ago - 10, of=of)
    first = iso(await ledger.hour(20))
    assert await ledger.gaps() == [
        holes("BTC/USDT", "1h", 6, first),
        holes("ETH/USDT", "1m", 360, first),
    ]
    await ledger.evaluate()
    assert [alert.message for alert in await ledger.alerts()][-1].startswith(
        "ETH/USDT 1m: 360 candles missing in 2 gaps, the first at "
    )


async def test_an_alert_for_changed_candles_fires_and_resolves_a_day_later(
    ledger: Ledger,
) -> None:
    other = await ledger.series("ETH/USDT", "1h")
    await ledger.restatement(ago_ms=DAY + MINUTE, of=other)
    await ledger.restatement(ago_ms=HOUR)
    await ledger.restatement(ago_ms=MINUTE)
    await ledger.restatement(ago_ms=MINUTE, opened_ago=4)
    [restated] = (await ledger.facts()).bad["restated"]
    assert restated.subject == "binance BTC/USDT 1m"
    await ledger.evaluate()
    [fired] = await ledger.alerts()
    changed = "the exchange changed 2 closed candles in 24 hours"
    assert (fired.subject, fired.message) == (
        "binance BTC/USDT 1m",
        f"BTC/USDT 1m: {changed}; the old values are in the table restatement",
    )
    await ledger.engine.move("restatement", "restated_at", -DAY / 1000)
    await ledger.evaluate()
    [resolved] = await ledger.alerts()
    assert (resolved.state, resolved.message) == (
        "resolved",
        "no closed candle of BTC/USDT 1m changed for 24 hours",
    )


async def test_penstock_alerts_lists_gap_and_restatement_alerts(
    ledger: Ledger, database_url: str, tmp_path: Path
) -> None:
    await ledger.span(60, 10)
    await ledger.span(10, 9, "outage", asked=6)
    await ledger.span(9, 1)
    await ledger.restatement(ago_ms=MINUTE)
    await ledger.evaluate()
    shown = (await Penstock(tmp_path).with_settings(database_url=database_url)("alerts")).out
    assert "60 candles missing in 1 gap" in shown
    assert "changed 1 closed candle in 24 hours" in shown
