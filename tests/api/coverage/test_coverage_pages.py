"""Pages of `GET /coverage` and `GET /gaps`, and their sums over random ledgers."""

from __future__ import annotations

import contextlib
import itertools
import random
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from penstock.market.collect.coverage import HELD, SpanState
from penstock.market.queries.gaps import NOT_EXPECTED
from penstock.moment import iso
from tests.api.coverage_ledgers import COMPLETE, DRAWN, KNOWN, MANY, get, one_series, pages
from tests.ledgers import DAY, HOUR, NOON, PRESENT

if TYPE_CHECKING:
    from collections.abc import Sequence

    import aiohttp

    from penstock.market.collect.coverage import Span
    from penstock.market.instrument import SeriesKey
    from tests.conftest import Say
    from tests.trials import Trials


@pytest.mark.parametrize("limit", [1, 7, 79])
async def test_pages_of_series_neither_repeat_nor_skip_a_series(
    client: aiohttp.ClientSession, limit: int
) -> None:
    def without_spans(items: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Without spans: how many are shown depends on the number of series in the page."""
        return [
            {name: value for name, value in item.items() if not name.endswith("spans")}
            for item in items
        ]

    whole = without_spans((await get(client, "coverage", limit=500))["items"])
    assert len(whole) == len(KNOWN) + len(COMPLETE) + len(DRAWN)
    if limit == 1:
        whole = [item for item in whole if item["exchange"] == "drawn"]
        assert without_spans(await pages(client, "coverage", limit=1, exchange="drawn")) == whole
    else:
        assert without_spans(await pages(client, "coverage", limit=limit)) == whole


@pytest.mark.parametrize(
    ("limit", "query"),
    [
        (1, {"exchange": "drawn"}),
        (7, {"reason": "unconfirmed"}),
        (400, {"symbol": "MANY/USDT"}),
        (1_000, {}),
    ],
    ids=["one by one", "of a reason", "a whole number of pages", "the most"],
)
async def test_pages_of_gaps_neither_repeat_nor_skip_a_gap(
    client: aiohttp.ClientSession, limit: int, query: dict[str, str]
) -> None:
    found = await pages(client, "gaps", limit=limit, **query)
    expected = [
        (key.instrument.symbol, iso(gap.start), gap.state.value)
        for key, ledger in (KNOWN | COMPLETE | DRAWN).items()
        for gap in ledger
        if gap.state not in HELD
        and query.get("exchange", key.instrument.exchange) == key.instrument.exchange
        and query.get("reason", gap.state) == gap.state
        and query.get("symbol", key.instrument.symbol) == key.instrument.symbol
    ]
    assert Counter((item["symbol"], item["start"], item["reason"]) for item in found) == Counter(
        expected
    )
    by_series = [
        list(group)
        for _, group in itertools.groupby(
            found, lambda gap: (gap["exchange"], gap["symbol"], gap["timeframe"])
        )
    ]
    assert len(by_series) == len(
        {(item["exchange"], item["symbol"], item["timeframe"]) for item in found}
    )
    assert all(group == sorted(group, key=lambda gap: str(gap["start"])) for group in by_series)


async def test_the_newest_500_spans_are_shown_with_a_note_that_there_are_more(
    client: aiohttp.ClientSession,
) -> None:
    item = await one_series(client, symbol="MANYUSDT")
    assert (len(item["spans"]), item["more_spans"]) == (500, True)
    assert [span["start"] for span in item["spans"]] == [
        iso(NOON - at * HOUR) for at in range(500, 0, -1)
    ]
    # Of the whole series, not of the shown spans.
    assert (item["from"], item["complete"]) == (iso(NOON - (MANY - 1) * HOUR), 100.0)
    older = await one_series(client, symbol="MANYUSDT", end=item["spans"][0]["start"])
    assert older["spans"][-1]["end"] == item["spans"][0]["start"]
    exactly = await one_series(client, symbol="MANYUSDT", start=iso(NOON - 500 * HOUR))
    assert (len(exactly["spans"]), exactly["more_spans"]) == (500, False)
    [first, many] = (
        await get(
            client,
            "coverage",
            timeframe="1h",
            exchange="binance",
            limit=2,
            cursor=await _ahead_of(client, "MANY/USDT"),
        )
    )["items"]
    assert (len(first["spans"]), first["more_spans"]) == (250, True)
    assert many["more_spans"] is False


async def test_unexpected_ranges_can_have_older_spans_too(
    client: aiohttp.ClientSession,
) -> None:
    item = await one_series(client, symbol="NEVER/USDT")
    assert (len(item["spans"]), item["more_spans"], item["complete"]) == (500, True, None)


async def _ahead_of(client: aiohttp.ClientSession, symbol: str) -> int:
    """The cursor before the page that begins with this series."""
    cursor = 0
    while True:
        page = await get(
            client, "coverage", timeframe="1h", exchange="binance", limit=1, cursor=cursor
        )
        if page["items"][0]["symbol"] == symbol:
            return cursor
        cursor = page["next_cursor"]


async def test_complete_and_the_candles_of_gaps_match_a_count(
    client: aiohttp.ClientSession, trials: Trials, say: Say
) -> None:
    """Ledgers are random since import; the ranges of the requests are random here."""
    chosen, asked = random.Random(trials.seed), 0
    for key, ledger in DRAWN.items():
        cells = _cells(key, ledger)
        named = {"exchange": "drawn", "symbol": key.instrument.symbol}
        counted = Counter(
            gap.state
            for gap in ledger
            for at, _ in cells
            if gap.state not in HELD and gap.start <= at < gap.end
        )
        gaps = (await get(client, "gaps", limit=1_000, **named))["items"]
        shown: Counter[str] = Counter()
        for gap in gaps:
            shown[gap["reason"]] += gap["candles"]
        assert shown == counted, key
        for _ in range(trials.of(2, 20)):
            edges = sorted(
                chosen.sample([at for at, _ in cells] + [PRESENT + 30 * DAY], min(2, len(cells)))
            )
            bounds = dict(
                zip(
                    chosen.choice([("start", "end"), ("start",), ("end",), ()]), edges, strict=False
                )
            )
            [item] = (
                await get(
                    client, "coverage", **named, **{name: iso(at) for name, at in bounds.items()}
                )
            )["items"]
            assert item["complete"] == _counted(cells, **bounds), (
                key,
                bounds,
                f"seed={trials.seed}",
            )
            asked += 1
    say(f"n={asked} ranges of {len(DRAWN)} ledgers, seed={trials.seed}")


def _cells(key: SeriesKey, ledger: Sequence[Span]) -> list[tuple[int, SpanState | None]]:
    """Each candle from the first span to now, with its state."""
    at = min((found.start for found in ledger), default=key.timeframe.floor(PRESENT))
    cells: list[tuple[int, SpanState | None]] = []
    while at < key.timeframe.floor(PRESENT):
        cells.append(
            (at, next((found.state for found in ledger if found.start <= at < found.end), None))
        )
        at = key.timeframe.shift(at, 1)
    if ledger and ledger[-1].state is SpanState.DELISTED:
        cells = [
            (at, SpanState.DELISTED if at >= ledger[-1].start else state) for at, state in cells
        ]
    return cells


def _counted(
    cells: Sequence[tuple[int, SpanState | None]], start: int = 0, end: int = 2**62
) -> float | None:
    with contextlib.suppress(StopIteration):
        first = next(at for at, state in cells if state is not None and state not in NOT_EXPECTED)
        expected = [
            state
            for at, state in cells
            if max(first, start) <= at < end and state not in NOT_EXPECTED
        ]
        if expected:
            return 10_000 * sum(state in HELD for state in expected) // len(expected) / 100
    return None
