"""Regions from which a provider refuses all requests."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from penstock.domains.market import make_source
from penstock.errors import SourceRefusedError
from penstock.http.governor import LocalBudget
from penstock.market.source import SourceConfig
from penstock.settings import load_settings
from penstock.sources import binance
from penstock.sources.binance import BinanceSource
from tests.acceptance.commands import Penstock
from tests.field.small_exchange import COLLECT, SmallExchange, asking, small_exchange

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("status", [451, 403])
async def test_a_refused_region_gets_a_hint_and_no_further_requests_are_sent(
    tmp_path: Path, exchange: SmallExchange, status: int
) -> None:
    exchange.refuses = status
    refused = await Penstock(tmp_path, {"PENSTOCK_BINANCE_URL": exchange.url})(*COLLECT)
    assert refused.code == 3
    assert (
        "set PENSTOCK_BINANCE_URL to https://data-api.binance.vision,"
        " which serves market data only, or set PENSTOCK_PROXY to" in refused.complaint
    )
    assert f"HTTP {status}" in refused.complaint
    assert len(exchange.asked) == 1


@pytest.mark.parametrize("status", [451, 403])
async def test_the_default_address_is_replaced_by_the_public_one_and_logged_once(
    monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    async with (
        small_exchange(SmallExchange(refuses=status)) as first,
        small_exchange(SmallExchange()) as second,
    ):
        monkeypatch.setattr(binance, "_URL", first.url)
        monkeypatch.setattr(binance, "_PUBLIC_DATA_URL", second.url)
        budget = LocalBudget()
        with capture_logs() as logs:
            async with make_source("binance", load_settings(), budget) as source:
                listed = await asyncio.gather(*(source.instruments() for _ in range(8)))
                assert source.address == second.url
                await source.server_time()
        assert [len(series) for series in listed] == [1] * 8
        assert [entry["to"] for entry in logs if entry["log_level"] == "warning"] == [second.url]
        assert 1 <= len(first.asked) <= 8
        assert len(second.asked) == 9
        # All requests count in one budget, as they do at Binance.
        assert budget._used > 0
        second.refuses = status
        async with BinanceSource(SourceConfig()) as source:
            with pytest.raises(
                SourceRefusedError,
                match=r"set PENSTOCK_PROXY to a proxy elsewhere \(GET " + second.url,
            ):
                await source.server_time()


async def test_an_address_set_by_the_user_is_not_replaced(
    monkeypatch: pytest.MonkeyPatch, exchange: SmallExchange
) -> None:
    async with small_exchange(SmallExchange()) as second:
        monkeypatch.setattr(binance, "_PUBLIC_DATA_URL", second.url)
        exchange.refuses = 451
        async with asking(exchange.url) as source:
            with pytest.raises(SourceRefusedError):
                await source.server_time()
        assert second.asked == []


async def test_after_three_refusals_of_the_region_no_request_is_sent(
    exchange: SmallExchange,
) -> None:
    exchange.refuses = 403
    async with asking(exchange.url) as source:
        for _ in range(10):
            with pytest.raises(SourceRefusedError, match="HTTP 403"):
                await source.server_time()
    assert len(exchange.asked) == 3


async def test_refusals_with_answers_between_them_do_not_pause_requests(
    exchange: SmallExchange,
) -> None:
    async with asking(exchange.url) as source:
        for status in (403, 403, None, 403, 403, None):
            exchange.refuses = status
            with contextlib.suppress(SourceRefusedError):
                await source.server_time()
    assert len(exchange.asked) == 6
