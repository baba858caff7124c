"""`GET /coverage/map`: how much of each day or month series have, and which series miss some."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from penstock.market.collect.coverage import HELD, SpanState
from penstock.market.queries.gaps import MISSING, NOT_EXPECTED
from penstock.market.timeframe import Timeframe
from penstock.moment import iso
from tests.api.coverage_ledgers import COMPLETE, DRAWN, KNOWN, get
from tests.field.exchange import ms
from tests.ledgers import DAY, PRESENT

if TYPE_CHECKING:
    from collections.abc import Sequence

    import aiohttp

    from penstock.market.collect.coverage import Span

LEDGER = {
    (series.instrument.exchange, series.instrument.symbol, series.timeframe.value): spans
    for series, spans in (KNOWN | COMPLETE | DRAWN).items()
}


def _name(item: dict[str, Any]) -> tuple[str, str, str]:
    return item["exchange"], item["symbol"], item["timeframe"]


async def _map(client: aiohttp.ClientSession, **query: object) -> dict[str, Any]:
    return dict(await get(client, "coverage/map", **query))


def _cell(spans: Sequence[Span], low: int, high: int, running: int) -> dict[str, Any] | None:
    """A cell by the definition of its fields, one span after the other."""
    if not spans:
        return None
    last = max(spans, key=lambda span: span.end)
    expected = any(span.state not in NOT_EXPECTED for span in spans)
    ends = not expected or last.state is SpanState.DELISTED
    low = max(low, min(span.start for span in spans))
    high = min(high, last.end if ends else max(last.end, running))
    if low >= high:
        return None
    within = [
        (span.state, min(span.end, high) - max(span.start, low))
        for span in spans
        if span.start < high and span.end > low
    ]
    lengths: Counter[SpanState] = Counter()
    for state, length in within:
        lengths[state] += length
    not_asked = high - low - lengths.total()
    missing = {state: lengths[state] for state in MISSING if lengths[state]}
    others = {state: lengths[state] for state in NOT_EXPECTED if lengths[state]}
    wanted = high - low - sum(others.values())
    held = sum(lengths[state] for state in HELD)
    counted = missing or (others if sum(others.values()) > not_asked else {})
    share = sum(counted.values()) + (0 if counted is others else not_asked)
    most = max(counted.values(), default=0)
    return {
        "complete": 10_000 * held // wanted / 100 if wanted else None,
        "share": -(-10_000 * share // (high - low)) / 100,
        "reason": {state for state, length in counted.items() if length == most} or {None},
        "gaps": sum(state not in HELD for state, _ in within),
    }


@pytest.mark.parametrize(("unit", "cells"), [("day", 31), ("day", 3), ("month", 5)])
async def test_each_cell_tells_what_the_ledger_has_of_it(
    client: aiohttp.ClientSession, unit: str, cells: int
) -> None:
    page = await _map(client, unit=unit, cells=cells, limit=100)
    edges = [ms(at.removesuffix("Z")) for at in [*page["starts"], page["end"]]]
    assert (page["unit"], len(edges)) == (unit, cells + 1)
    assert edges[-2] <= PRESENT < edges[-1]
    assert {_name(item) for item in page["items"]} == set(LEDGER)
    kinds = Counter[str | None]()
    for item in page["items"]:
        spans = LEDGER[_name(item)]
        running = Timeframe(item["timeframe"]).floor(PRESENT)
        for cell, (low, high) in zip(item["cells"], pairwise(edges), strict=True):
            told = _cell(spans, low, high, running)
            if told is None:
                assert cell is None, (item, iso(low))
                continue
            kinds[cell["reason"]] += 1
            assert cell["reason"] in told.pop("reason"), (item, iso(low))
            assert {name: cell[name] for name in told} == told, (item, iso(low))
    assert set(kinds) == {None, *(SpanState(state).value for state in {*MISSING, *NOT_EXPECTED})}


async def test_a_row_agrees_with_the_list_of_series_and_the_list_of_gaps(
    client: aiohttp.ClientSession,
) -> None:
    rows = (await _map(client, limit=100, cells=1))["items"]
    whole = (await get(client, "coverage", limit=500))["items"]
    assert {_name(item): item["complete"] for item in rows} == {
        _name(item): item["complete"] for item in whole
    }
    gaps = {
        _name(item): Counter(
            span.state.value for span in LEDGER[_name(item)] if span.state not in HELD
        )
        for item in rows
    }
    assert {_name(item): item["gaps"] for item in rows} == gaps


async def test_pages_of_the_map_neither_repeat_nor_skip_a_series(
    client: aiohttp.ClientSession,
) -> None:
    found: list[dict[str, Any]] = []
    cursor: int | None = 0
    while cursor is not None:
        page = await _map(client, cursor=cursor, limit=7, cells=2)
        found += page["items"]
        cursor = page["next_cursor"]
    assert found == (await _map(client, limit=100, cells=2))["items"]


async def test_only_series_with_gaps_are_shown_where_that_is_asked_for(
    client: aiohttp.ClientSession,
) -> None:
    def having(states: frozenset[SpanState]) -> set[tuple[str, str, str]]:
        return {
            name for name, spans in LEDGER.items() if any(span.state in states for span in spans)
        }

    async def shown(**query: object) -> set[tuple[str, str, str]]:
        return {_name(item) for item in (await _map(client, limit=100, **query))["items"]}

    assert await shown(only_gaps=True) == having(MISSING) < set(LEDGER)
    assert await shown(reason="outage") == having(frozenset({SpanState.OUTAGE}))
    both = having(MISSING) & having(frozenset({SpanState.OUTAGE}))
    assert await shown(only_gaps=True, reason="outage") == both
    assert await shown(exchange="nowhere") == set()
    assert await shown(symbol="BTCUSDT", timeframe="4h") == {("binance", "BTC/USDT", "4h")}


async def test_gaps_are_listed_without_those_that_nothing_could_fill(
    client: aiohttp.ClientSession,
) -> None:
    missing = (await get(client, "gaps", missing=True, limit=1_000))["items"]
    every = (await get(client, "gaps", limit=1_000, exchange="binance", symbol="BTCUSDT"))["items"]
    assert {item["reason"] for item in missing} == {state.value for state in MISSING}
    assert [item for item in missing if item in every] == [
        item for item in every if item["reason"] in {"unconfirmed", "failed", "rejected"}
    ]
    ids = {_name(item): item["id"] for item in (await _map(client, limit=100))["items"]}
    assert all(item["series_id"] == ids[_name(item)] for item in missing)


async def test_an_earlier_part_of_the_map_ends_where_it_is_asked_to(
    client: aiohttp.ClientSession,
) -> None:
    newest = await _map(client, cells=2)
    before = await _map(client, cells=2, end=newest["starts"][0])
    assert before["end"] == newest["starts"][0]
    assert ms(newest["end"].removesuffix("Z")) - 2 * DAY == ms(before["end"].removesuffix("Z"))
    # Nothing is known after the present.
    assert (await _map(client, cells=2, end="9999-12-30"))["end"] == newest["end"]
    first = await _map(client, cells=62, end="1970-01-02", unit="month")
    assert (first["starts"], first["end"]) == (["1970-01-01T00:00:00Z"], "1970-02-01T00:00:00Z")
    assert first["items"][0]["cells"] == [None]


_WRONG = [
    ("unit", "week"),
    ("cells", "0"),
    ("cells", "63"),
    ("limit", "101"),
    ("cursor", "-1"),
    ("end", "1969-12-31"),
    ("reason", "stored"),
    ("timeframe", "7m"),
    ("start", "2026-01-01"),
]


@pytest.mark.parametrize(("field", "value"), _WRONG)
async def test_an_invalid_query_of_the_map_is_refused_with_the_name_of_the_field(
    client: aiohttp.ClientSession, field: str, value: str
) -> None:
    async with client.get("/api/v1/coverage/map", params={field: value}) as answer:
        assert answer.status == 422, await answer.text()
        assert (await answer.json())["field"] == field
