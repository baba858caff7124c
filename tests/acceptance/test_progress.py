"""Progress and waits of a collection on a terminal: in this process, by a service, watched."""

from __future__ import annotations

import contextlib
import re
import signal
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.commands import put_faults
from tests.acceptance.terminal import Terminal, on_a_terminal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.acceptance.commands import Penstock

_KLINES = "/api/v3/klines"
# Twenty more answers arrive, and the later ones when the faults are changed.
_TWENTY = {"name": "gate", "path": _KLINES, "after": 20}
_LONG = ("collect", "BTC/USDT", "-t", "1m", "--limit", "60000")


@pytest.fixture
def penstock(penstock: Penstock) -> Penstock:
    return penstock.with_settings(
        request_concurrency="1", run_attempts="1", request_idle_s="600", request_deadline_s="600"
    )


@contextlib.asynccontextmanager
async def shown(penstock: Penstock, how: str) -> AsyncIterator[Terminal]:
    """The collection of one long series on a terminal."""
    if how == "here":
        async with on_a_terminal(penstock, *_LONG) as terminal:
            yield terminal
        return
    async with penstock.serving() as service:
        words = (
            _LONG
            if how == "there"
            else ("watch", await service.start(limit=60_000), "--url", service.url)
        )
        async with on_a_terminal(penstock, *words) as terminal:
            yield terminal


@pytest.mark.parametrize("columns", [80, 200])
@pytest.mark.parametrize("how", ["here", "there", "watched"])
async def test_one_series_of_60_000_candles_moves_the_bar_in_many_steps(
    penstock: Penstock, exchange: str, how: str, columns: int
) -> None:
    await put_faults(exchange, _TWENTY)
    async with shown(replace(penstock, columns=columns), how) as terminal:
        await terminal.shows(
            r"━.* (2[5-9]|3\d) ?%,? +\d\d,\d{3} of 60,000 candles, [\d,]+/s, [^…\r\n]+ left"
        )
        await put_faults(exchange, _TWENTY)
        await terminal.shows(r"━.* (5[5-9]|6\d) ?%,? +\d\d,\d{3} of 60,000 candles")
        await put_faults(exchange)
        assert await terminal.ended() == 0
    bars = [line for line in terminal.lines if "━" in line]
    assert max(map(len, bars)) <= columns
    assert not [line for line in bars if "…" in line], "nothing is cut"
    percents = [int(found[1]) for line in bars if (found := re.search(r"(\d+) ?%", line))]
    assert percents == sorted(percents)


@pytest.mark.parametrize("how", ["here", "there"])
async def test_a_provider_pause_is_counted_down_and_then_disappears(
    penstock: Penstock, exchange: str, how: str
) -> None:
    await put_faults(
        exchange,
        {"name": "rate_limit", "retry_after": 4, "path": _KLINES, "after": 10, "count": 1},
        _TWENTY,
    )
    async with shown(penstock.with_settings(request_attempts="2"), how) as terminal:
        await terminal.shows(r"━.* waiting [2-4] s for binance to let requests in again")
        await terminal.shows(r"━.* waiting [01] s for binance to let requests in again")
        await terminal.shows(r"in again\s+[━╸╺ ]+\d+ %, [\d,]+ of 60,000 candles")
        await put_faults(exchange)
        assert await terminal.ended() == 0
    assert max(len(line) for line in terminal.lines if "━" in line) <= penstock.columns


async def test_the_wait_for_a_used_up_limit_is_counted_down(
    penstock: Penstock, database_url: str
) -> None:
    """The limit is forty pages a minute, and the collection needs more than two minutes allow."""
    limited = penstock.with_settings(database_url=database_url, binance_weight_per_minute="100")
    async with on_a_terminal(limited, *_LONG[:-1], "200000") as terminal:
        seconds = int(
            (await terminal.shows(r"waiting ([3-9]|\d\d) s for binance's limit")).split()[1]
        )
        await terminal.shows(rf"waiting {seconds - 1} s for binance's limit")
        assert await terminal.ended(signal.SIGINT) == 130
    assert "cancelled: written candles stay" in terminal.text
