"""`GET /coverage` and `GET /gaps`: the ledger of the data, and how complete it is."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest

from penstock.market.collect.coverage import SpanState
from penstock.market.queries.gaps import REASONS
from penstock.moment import iso
from tests.api.coverage_ledgers import CASES, get, one_series, shown_span
from tests.ledgers import ASKED, HOUR, NOON

if TYPE_CHECKING:
    import aiohttp


async def test_a_series_is_shown_with_its_spans_in_order_and_their_evidence(
    client: aiohttp.ClientSession,
) -> None:
    assert ASKED.due == NOON + HOUR
    page = await get(client, "coverage", exchange="binance", symbol="BTC/USDT", timeframe="1h")
    assert page == {
        "items": [
            {
                "exchange": "binance",
                "symbol": "BTC/USDT",
                "timeframe": "1h",
                "price": "last",
                "from": "2026-01-15T02:00:00Z",
                "to": "2026-01-15T12:00:00Z",
                # Eight of nine: an outage is not expected to be there, an unconfirmed range is.
                "complete": 88.88,
                "spans": [
                    shown_span("not_listed", 12, 10),
                    shown_span("stored", 10, 8),
                    shown_span("outage", 8, 7),
                    shown_span("stored", 7, 3),
                    shown_span("unconfirmed", 3, 2),
                    shown_span("stored", 2, 0),
                ],
                "more_spans": False,
            }
        ],
        "next_cursor": None,
    }


async def test_a_gap_shows_what_is_missing_the_reason_and_the_evidence(
    client: aiohttp.ClientSession,
) -> None:
    page = await get(
        client, "gaps", symbol="BTC/USDT", exchange="binance", timeframe="1h", reason="outage"
    )
    [gap] = page["items"]
    assert page["next_cursor"] is None
    shown = shown_span("outage", 8, 7)
    named = {"exchange": "binance", "symbol": "BTC/USDT", "timeframe": "1h", "price": "last"}
    why = {
        "candles": 1,
        "reason": "outage",
        "sentence": REASONS[SpanState.OUTAGE],
        "evidence": shown["evidence"],
    }
    assert gap.pop("series_id") > 0
    assert gap == named | {"start": shown["start"], "end": shown["end"]} | why


@pytest.mark.parametrize("symbol", ["BTC/USDT", "BTCUSDT", "btc/usdt", "btcUSDT", " BTCUSDT "])
@pytest.mark.parametrize("path", ["coverage", "gaps"])
async def test_a_symbol_is_found_in_any_spelling(
    client: aiohttp.ClientSession, path: str, symbol: str
) -> None:
    found = (await get(client, path, symbol=symbol))["items"]
    assert found == [
        item for item in (await get(client, path))["items"] if item["symbol"] == "BTC/USDT"
    ]
    assert {(item["exchange"], item["timeframe"]) for item in found} >= {("binance", "1h")}


async def test_filters_leave_only_what_they_name(client: aiohttp.ClientSession) -> None:
    async def named(path: str = "coverage", **query: object) -> set[tuple[str, str, str]]:
        return {
            (item["exchange"], item["symbol"], item["timeframe"])
            for item in (await get(client, path, limit=500, **query))["items"]
        }

    assert (
        await named(symbol="kPEPEUSDT")
        == await named("gaps", symbol="KPEPE/USDT")
        == {("binance", "kPEPE/USDT", "1h")}
    )
    assert await named(symbol="BTCUSDT", exchange="another") == {("another", "BTC/USDT", "1h")}
    assert await named(symbol="BTCUSDT", timeframe="4h") == {("binance", "BTC/USDT", "4h")}
    assert {exchange for exchange, _, _ in await named(exchange="drawn")} == {"drawn"}
    assert {exchange for exchange, _, _ in await named("gaps", exchange="drawn")} == {"drawn"}
    assert {step for _, _, step in await named("gaps", timeframe="1w")} == {"1w"}
    for path in ("coverage", "gaps"):
        for nothing in ({"exchange": "nowhere"}, {"symbol": "BTCUSTD"}, {"timeframe": "1s"}):
            assert await get(client, path, **nothing) == {"items": [], "next_cursor": None}


async def test_start_and_end_limit_the_sums_and_leave_out_spans_outside(
    client: aiohttp.ClientSession,
) -> None:
    cut = {"start": iso(NOON - 9 * HOUR), "end": iso(NOON - 2 * HOUR)}
    item = await one_series(client, symbol="BTC/USDT", **cut)
    # Of the seven hours one is an outage and one is missing.
    assert (item["from"], item["to"], item["complete"]) == (cut["start"], cut["end"], 83.33)
    assert [span["state"] for span in item["spans"]] == [
        "stored",
        "outage",
        "stored",
        "unconfirmed",
    ]
    gaps = (await get(client, "gaps", symbol="BTC/USDT", **cut))["items"]
    assert [item["reason"] for item in gaps] == ["outage", "unconfirmed"]
    ahead = await one_series(client, symbol="BTC/USDT", end=iso(NOON - 10 * HOUR))
    assert (ahead["complete"], ahead["from"], ahead["to"]) == (None, None, None)
    offset = await one_series(
        client, symbol="BTC/USDT", start="2026-01-15T04:00:00+01:00", end=cut["end"]
    )
    assert offset == item


@pytest.mark.parametrize("name", CASES)
async def test_complete_is_the_stored_share_of_the_candles_that_could_exist(
    client: aiohttp.ClientSession, name: str
) -> None:
    assert (await one_series(client, symbol=f"{name}/USDT"))["complete"] == CASES[name][1]


async def test_candles_that_closed_since_the_last_run_count_as_missing_even_in_a_separate_range(
    client: aiohttp.ClientSession,
) -> None:
    item = await one_series(client, symbol="SILENT/USDT", start=iso(NOON - HOUR))
    assert (item["from"], item["to"], item["complete"], item["spans"]) == (
        iso(NOON - HOUR),
        iso(NOON),
        0.0,
        [],
    )
    ended = await one_series(client, symbol="ENDED/USDT", start=iso(NOON - 4 * HOUR))
    assert ended["complete"] is None
    future = await one_series(client, symbol="SILENT/USDT", start="2030-01-01")
    assert (future["from"], future["to"], future["complete"]) == (None, None, None)


@pytest.mark.parametrize("reason", REASONS)
async def test_each_gap_explains_its_reason_in_a_sentence(
    client: aiohttp.ClientSession, reason: str
) -> None:
    found = (await get(client, "gaps", reason=reason, limit=1_000))["items"]
    assert found
    assert {(item["reason"], item["sentence"]) for item in found} == {
        (reason, REASONS[SpanState(reason)])
    }
    assert all((item["evidence"] is None) == (reason == "not_collected") for item in found)
    assert all(item["candles"] > 0 for item in found)


def _cursor(*key_: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(key_).encode()).rstrip(b"=").decode()


_WRONG = [
    ("coverage", "timeframe", "7m"),
    ("coverage", "timeframe", "minute"),
    ("coverage", "start", "yesterday"),
    ("coverage", "start", "1969-12-31"),
    ("coverage", "end", "9999-12-31T23:59:59-12:00"),
    ("coverage", "limit", "0"),
    ("coverage", "limit", "501"),
    ("coverage", "cursor", "-1"),
    ("coverage", "cursor", str(2**31)),
    ("coverage", "symbol", "B\0TC"),
    ("coverage", "symbol", "B" * 51),
    ("coverage", "exchange", "bin\nance"),
    ("coverage", "sort", "symbol"),
    ("gaps", "timeframe", "1H"),
    ("gaps", "reason", "stored"),
    ("gaps", "reason", "no_trades"),
    ("gaps", "reason", "Outage"),
    ("gaps", "reason", "x" * 30),
    ("gaps", "end", "2026-02-30"),
    ("gaps", "limit", "1001"),
    ("gaps", "cursor", "7"),
    ("gaps", "cursor", _cursor(1)),
    ("gaps", "cursor", _cursor(1, "x")),
    ("gaps", "cursor", _cursor(1.5, 2)),
    ("gaps", "cursor", _cursor(2**70, 1)),
    ("gaps", "cursor", _cursor(1, 2**70)),
    ("gaps", "cursor", _cursor(1, 2**62)),
    ("gaps", "cursor", _cursor(2**63, NOON)),
    ("gaps", "cursor", _cursor(-1, NOON)),
    ("gaps", "cursor", _cursor(1, -(2**62))),
    ("gaps", "cursor", "x" * 20_001),
]


@pytest.mark.parametrize(("path", "field", "value"), _WRONG)
async def test_an_invalid_query_is_refused_in_a_sentence_that_names_the_field(
    client: aiohttp.ClientSession, path: str, field: str, value: str
) -> None:
    async with client.get(f"/api/v1/{path}", params={field: value}) as answer:
        assert (answer.status, answer.content_type) == (422, "application/problem+json"), (
            await answer.text()
        )
        problem = await answer.json()
    assert (problem["code"], problem["field"]) == ("invalid_input", field)
    assert len(problem["detail"]) < 300


async def test_an_unknown_reason_or_timeframe_is_refused_with_the_valid_ones(
    client: aiohttp.ClientSession,
) -> None:
    async with client.get("/api/v1/gaps", params={"reason": "holiday"}) as answer:
        assert (await answer.json())["detail"].endswith(f"use one of {', '.join(REASONS)}")
    async with client.get("/api/v1/coverage", params={"timeframe": "1H"}) as answer:
        assert "1h" in (await answer.json())["detail"]
