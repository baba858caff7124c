"""`GET /coverage` and `GET /gaps`: what the ledger says of the data, in pages, and how complete that is."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import random
from collections import Counter
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from penstock.market.collect.coverage import HELD, SpanState
from penstock.market.queries.coverage import NOT_EXPECTED
from penstock.market.queries.gaps import REASONS
from penstock.market.timeframe import Timeframe
from penstock.moment import iso
from tests.api.service import served
from tests.databases import DATABASES
from tests.ledgers import ASKED, DAY, HOUR, NOON, PRESENT, fill, key, span, spans

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from penstock.market.collect.coverage import Span
    from penstock.market.instrument import SeriesKey
    from tests.conftest import Say
    from tests.databases import Databases
    from tests.trials import Trials

_SEED = 20260518
_MANY = 2_400
_STEPS = ("1h", "4h", "1d", "1w")
_KNOWN = {
    key("BTC/USDT"): spans(
        [12, 10, 8, 7, 3, 2], "not_listed", "stored", "outage", "stored", "unconfirmed", "stored"
    ),
    key("BTC/USDT", "4h"): spans([8], "stored", step=4 * HOUR),
    key("BTC/USDT", exchange="another"): spans([5], "stored"),
    key("ETH/USDT"): spans([100], "stored"),
    key("kPEPE/USDT"): spans([40, 20, 18, 16], "not_collected", "rejected", "failed", "stored"),
    key("NEVER/USDT"): [
        span(NOON - at * HOUR, NOON - (at - 1) * HOUR, "outage" if at % 2 else "not_collected")
        for at in range(501, 0, -1)
    ],
    key("MANY/USDT"): [
        span(NOON - at * HOUR, NOON - (at - 1) * HOUR, "stored" if at % 2 else "outage")
        for at in range(_MANY, 0, -1)
    ],
}


def _drawn(chosen: random.Random, number: int) -> tuple[SeriesKey, list[Span]]:
    """A series whose candles are in states at random, in no span at all now and then, up to some time before the present."""
    step = chosen.choice(_STEPS)
    one = key(f"D{number}/USDT", step, exchange="drawn")
    timeframe = Timeframe(step)
    states = [state.value for state in SpanState] + ["stored"] * 8
    cells = [
        chosen.choice([chosen.choice(states), chosen.choice(states), None])
        for _ in range(chosen.randint(1, 8))
    ]
    runs = [(state, chosen.randint(1, 9)) for state in cells]
    end = timeframe.shift(timeframe.floor(PRESENT), -chosen.choice([0, 0, 1, 5]))
    at = timeframe.shift(end, -sum(count for _, count in runs))
    found = []
    for state, count in runs:
        following = timeframe.shift(at, count)
        found += [] if state is None else [span(at, following, state)]
        at = following
    return one, found


_DRAWN = dict(_drawn(random.Random(_SEED + number), number) for number in range(60))


@pytest.fixture(scope="module", params=DATABASES)
def service(
    request: pytest.FixtureRequest, databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The base URL of a service over these ledgers; tests only read from it."""
    with databases.fresh(request.param, tmp_path_factory.mktemp("ledger")) as database:
        fill(database, _KNOWN | _COMPLETE | _DRAWN)
        with served(database, None) as url:
            yield url


@pytest.fixture
async def client(service: str) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(service) as session:
        yield session


async def _get(client: aiohttp.ClientSession, path: str, **query: object) -> Any:  # noqa: ANN401 - JSON
    async with client.get(
        f"/api/v1/{path}", params={name: str(value) for name, value in query.items()}
    ) as answer:
        assert answer.status == 200, await answer.text()
        assert answer.content_type == "application/json"
        return await answer.json()


async def _one(client: aiohttp.ClientSession, **query: object) -> dict[str, Any]:
    [item] = (await _get(client, "coverage", **{"exchange": "binance", "timeframe": "1h"} | query))[
        "items"
    ]
    return dict(item)


def _shown(state: str, before: int, after: int) -> dict[str, Any]:
    asked = {
        "asked": 2,
        "first_asked": "2026-01-15T09:00:00Z",
        "last_asked": "2026-01-15T11:00:00Z",
        "source": "binance",
        "due": "2026-01-15T13:00:00Z",
    }
    evidence = None if state in {"stored", "not_collected"} else asked
    return {
        "start": iso(NOON - before * HOUR),
        "end": iso(NOON - after * HOUR),
        "state": state,
        "evidence": evidence,
    }


async def test_a_series_comes_with_its_spans_in_order_and_what_they_rest_on(
    client: aiohttp.ClientSession,
) -> None:
    assert ASKED.due == NOON + HOUR
    page = await _get(client, "coverage", exchange="binance", symbol="BTC/USDT", timeframe="1h")
    assert page == {
        "items": [
            {
                "exchange": "binance",
                "symbol": "BTC/USDT",
                "timeframe": "1h",
                "price": "last",
                "from": "2026-01-15T02:00:00Z",
                "to": "2026-01-15T12:00:00Z",
                # Eight of nine: the outage could not be there, the unconfirmed one could.
                "complete": 88.88,
                "spans": [
                    _shown("not_listed", 12, 10),
                    _shown("stored", 10, 8),
                    _shown("outage", 8, 7),
                    _shown("stored", 7, 3),
                    _shown("unconfirmed", 3, 2),
                    _shown("stored", 2, 0),
                ],
                "more_spans": False,
            }
        ],
        "next_cursor": None,
    }


async def test_a_gap_says_what_is_missing_why_and_what_that_rests_on(
    client: aiohttp.ClientSession,
) -> None:
    page = await _get(
        client, "gaps", symbol="BTC/USDT", exchange="binance", timeframe="1h", reason="outage"
    )
    [gap] = page["items"]
    assert page["next_cursor"] is None
    shown = _shown("outage", 8, 7)
    named = {"exchange": "binance", "symbol": "BTC/USDT", "timeframe": "1h", "price": "last"}
    why = {
        "candles": 1,
        "reason": "outage",
        "sentence": REASONS[SpanState.OUTAGE],
        "evidence": shown["evidence"],
    }
    assert gap == named | {"start": shown["start"], "end": shown["end"]} | why


@pytest.mark.parametrize("symbol", ["BTC/USDT", "BTCUSDT", "btc/usdt", "btcUSDT", " BTCUSDT "])
@pytest.mark.parametrize("path", ["coverage", "gaps"])
async def test_a_symbol_is_found_in_any_spelling(
    client: aiohttp.ClientSession, path: str, symbol: str
) -> None:
    found = (await _get(client, path, symbol=symbol))["items"]
    assert found == [
        one for one in (await _get(client, path))["items"] if one["symbol"] == "BTC/USDT"
    ]
    assert {(one["exchange"], one["timeframe"]) for one in found} >= {("binance", "1h")}


async def test_filters_leave_only_what_they_name(client: aiohttp.ClientSession) -> None:
    async def named(path: str = "coverage", **query: object) -> set[tuple[str, str, str]]:
        return {
            (one["exchange"], one["symbol"], one["timeframe"])
            for one in (await _get(client, path, limit=500, **query))["items"]
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
            assert await _get(client, path, **nothing) == {"items": [], "next_cursor": None}


async def test_start_and_end_cut_the_sums_and_leave_out_what_lies_outside(
    client: aiohttp.ClientSession,
) -> None:
    cut = {"start": iso(NOON - 9 * HOUR), "end": iso(NOON - 2 * HOUR)}
    item = await _one(client, symbol="BTC/USDT", **cut)
    # Of the seven hours one is an outage and one missing.
    assert (item["from"], item["to"], item["complete"]) == (cut["start"], cut["end"], 83.33)
    assert [one["state"] for one in item["spans"]] == ["stored", "outage", "stored", "unconfirmed"]
    gaps = (await _get(client, "gaps", symbol="BTC/USDT", **cut))["items"]
    assert [one["reason"] for one in gaps] == ["outage", "unconfirmed"]
    ahead = await _one(client, symbol="BTC/USDT", end=iso(NOON - 10 * HOUR))
    assert (ahead["complete"], ahead["from"], ahead["to"]) == (None, None, None)
    offset = await _one(
        client, symbol="BTC/USDT", start="2026-01-15T04:00:00+01:00", end=cut["end"]
    )
    assert offset == item


# What is in the ledger, from when on before noon, and how complete that is.
_CASES: dict[str, tuple[list[Span], float | None]] = {
    "WHOLE": (spans([30], "stored"), 100.0),
    "QUIET": (spans([30, 20, 10], "stored", "no_trades", "archived"), 100.0),
    "ALMOST": (spans([40_000, 1], "stored", "unconfirmed"), 99.99),
    "OUTAGE": (spans([30, 20, 10], "stored", "outage", "stored"), 100.0),
    "BEGUN": (spans([30, 20, 10], "not_listed", "not_collected", "stored"), 100.0),
    "ENDED": (spans([30, 20, 5], "stored", "delisted", None), 100.0),
    "ENDEDGAP": (spans([30, 25, 20, 5], "stored", "failed", "delisted", None), 50.0),
    "NOTHING": (spans([30, 10], "not_listed", "not_collected"), None),
    "FAILED": (spans([4], "failed"), 0.0),
    "REJECTED": (spans([4, 1], "stored", "rejected"), 75.0),
    "SILENT": (spans([4, 1], "stored", None), 75.0),
    "AGAIN": (spans([30, 20, 10, 5], "stored", "delisted", "stored", None), 75.0),
    "UNNAMED": (spans([4, 3, 2], "stored", None, "stored"), 75.0),
}
_COMPLETE = {key(f"{name}/USDT"): found for name, (found, _) in _CASES.items()}


@pytest.mark.parametrize("name", _CASES)
async def test_complete_is_the_share_of_what_could_be_there(
    client: aiohttp.ClientSession, name: str
) -> None:
    assert (await _one(client, symbol=f"{name}/USDT"))["complete"] == _CASES[name][1]


async def test_what_closed_since_the_ledger_was_written_is_missing_also_where_nothing_else_is_looked_at(
    client: aiohttp.ClientSession,
) -> None:
    item = await _one(client, symbol="SILENT/USDT", start=iso(NOON - HOUR))
    assert (item["from"], item["to"], item["complete"], item["spans"]) == (
        iso(NOON - HOUR),
        iso(NOON),
        0.0,
        [],
    )
    ended = await _one(client, symbol="ENDED/USDT", start=iso(NOON - 4 * HOUR))
    assert ended["complete"] is None
    future = await _one(client, symbol="SILENT/USDT", start="2030-01-01")
    assert (future["from"], future["to"], future["complete"]) == (None, None, None)


async def _pages(client: aiohttp.ClientSession, path: str, **query: object) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    following: dict[str, object] = {}
    while True:
        page = await _get(client, path, **query, **following)
        found += page["items"]
        assert len(page["items"]) <= int(str(query["limit"]))
        if page["next_cursor"] is None:
            return found
        following = {"cursor": page["next_cursor"]}


@pytest.mark.parametrize("limit", [1, 7, 79])
async def test_pages_of_series_neither_repeat_nor_lose_one(
    client: aiohttp.ClientSession, limit: int
) -> None:
    def without_spans(items: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """How many are shown of each goes by how many series there are in the page."""
        return [
            {name: value for name, value in one.items() if not name.endswith("spans")}
            for one in items
        ]

    whole = without_spans((await _get(client, "coverage", limit=500))["items"])
    assert len(whole) == len(_KNOWN) + len(_COMPLETE) + len(_DRAWN)
    if limit == 1:
        whole = [one for one in whole if one["exchange"] == "drawn"]
        assert without_spans(await _pages(client, "coverage", limit=1, exchange="drawn")) == whole
    else:
        assert without_spans(await _pages(client, "coverage", limit=limit)) == whole


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
async def test_pages_of_gaps_neither_repeat_nor_lose_one(
    client: aiohttp.ClientSession, limit: int, query: dict[str, str]
) -> None:
    found = await _pages(client, "gaps", limit=limit, **query)
    wanted = [
        (one.instrument.symbol, iso(gap.start), gap.state.value)
        for one, ledger in (_KNOWN | _COMPLETE | _DRAWN).items()
        for gap in ledger
        if gap.state not in HELD
        and query.get("exchange", one.instrument.exchange) == one.instrument.exchange
        and query.get("reason", gap.state) == gap.state
        and query.get("symbol", one.instrument.symbol) == one.instrument.symbol
    ]
    assert Counter((one["symbol"], one["start"], one["reason"]) for one in found) == Counter(wanted)
    by_series = [
        list(group)
        for _, group in itertools.groupby(
            found, lambda one: (one["exchange"], one["symbol"], one["timeframe"])
        )
    ]
    assert len(by_series) == len(
        {(one["exchange"], one["symbol"], one["timeframe"]) for one in found}
    )
    assert all(group == sorted(group, key=lambda one: str(one["start"])) for group in by_series)


async def test_the_newest_500_spans_are_shown_and_that_there_are_more(
    client: aiohttp.ClientSession,
) -> None:
    item = await _one(client, symbol="MANYUSDT")
    assert (len(item["spans"]), item["more_spans"]) == (500, True)
    assert [one["start"] for one in item["spans"]] == [
        iso(NOON - at * HOUR) for at in range(500, 0, -1)
    ]
    # Of all of it, not of what is shown.
    assert (item["from"], item["complete"]) == (iso(NOON - (_MANY - 1) * HOUR), 100.0)
    older = await _one(client, symbol="MANYUSDT", end=item["spans"][0]["start"])
    assert older["spans"][-1]["end"] == item["spans"][0]["start"]
    exactly = await _one(client, symbol="MANYUSDT", start=iso(NOON - 500 * HOUR))
    assert (len(exactly["spans"]), exactly["more_spans"]) == (500, False)
    [one, many] = (
        await _get(
            client,
            "coverage",
            timeframe="1h",
            exchange="binance",
            limit=2,
            cursor=await _ahead_of(client, "MANY/USDT"),
        )
    )["items"]
    assert (len(one["spans"]), one["more_spans"]) == (250, True)
    assert many["more_spans"] is False


async def test_of_what_nobody_expects_there_may_be_older_spans_too(
    client: aiohttp.ClientSession,
) -> None:
    item = await _one(client, symbol="NEVER/USDT")
    assert (len(item["spans"]), item["more_spans"], item["complete"]) == (500, True, None)


async def _ahead_of(client: aiohttp.ClientSession, symbol: str) -> int:
    """The cursor of the page that begins with this series."""
    cursor = 0
    while True:
        page = await _get(
            client, "coverage", timeframe="1h", exchange="binance", limit=1, cursor=cursor
        )
        if page["items"][0]["symbol"] == symbol:
            return cursor
        cursor = page["next_cursor"]


@pytest.mark.parametrize("reason", REASONS)
async def test_gaps_of_a_reason_say_it_in_a_sentence(
    client: aiohttp.ClientSession, reason: str
) -> None:
    found = (await _get(client, "gaps", reason=reason, limit=1_000))["items"]
    assert found
    assert {(one["reason"], one["sentence"]) for one in found} == {
        (reason, REASONS[SpanState(reason)])
    }
    assert all((one["evidence"] is None) == (reason == "not_collected") for one in found)
    assert all(one["candles"] > 0 for one in found)


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
async def test_what_cannot_be_asked_is_refused_in_a_sentence_that_names_the_field(
    client: aiohttp.ClientSession, path: str, field: str, value: str
) -> None:
    async with client.get(f"/api/v1/{path}", params={field: value}) as answer:
        assert (answer.status, answer.content_type) == (422, "application/problem+json"), (
            await answer.text()
        )
        problem = await answer.json()
    assert (problem["code"], problem["field"]) == ("invalid_input", field)
    assert len(problem["detail"]) < 300


async def test_an_unknown_reason_or_timeframe_is_told_with_those_that_there_are(
    client: aiohttp.ClientSession,
) -> None:
    async with client.get("/api/v1/gaps", params={"reason": "holiday"}) as answer:
        assert (await answer.json())["detail"].endswith(f"use one of {', '.join(REASONS)}")
    async with client.get("/api/v1/coverage", params={"timeframe": "1H"}) as answer:
        assert "1h" in (await answer.json())["detail"]


async def test_complete_and_the_candles_of_gaps_are_what_counting_gives(
    client: aiohttp.ClientSession, trials: Trials, say: Say
) -> None:
    """The ledgers are drawn when the module is loaded; what part of them is asked for is drawn here."""
    chosen, asked = random.Random(trials.seed), 0
    for one, ledger in _DRAWN.items():
        cells = _cells(one, ledger)
        named = {"exchange": "drawn", "symbol": one.instrument.symbol}
        counted = Counter(
            gap.state
            for gap in ledger
            for at, _ in cells
            if gap.state not in HELD and gap.start <= at < gap.end
        )
        gaps = (await _get(client, "gaps", limit=1_000, **named))["items"]
        told: Counter[str] = Counter()
        for gap in gaps:
            told[gap["reason"]] += gap["candles"]
        assert told == counted, one
        for _ in range(trials.of(2, 20)):
            edges = sorted(
                chosen.sample([at for at, _ in cells] + [PRESENT + 30 * DAY], min(2, len(cells)))
            )
            wanted = dict(
                zip(
                    chosen.choice([("start", "end"), ("start",), ("end",), ()]), edges, strict=False
                )
            )
            [item] = (
                await _get(
                    client, "coverage", **named, **{name: iso(at) for name, at in wanted.items()}
                )
            )["items"]
            assert item["complete"] == _counted(cells, **wanted), (
                one,
                wanted,
                f"seed={trials.seed}",
            )
            asked += 1
    say(f"n={asked} ranges of {len(_DRAWN)} ledgers, seed={trials.seed}")


def _cells(one: SeriesKey, ledger: Sequence[Span]) -> list[tuple[int, SpanState | None]]:
    """Each candle from the first span to the present, in its state."""
    at = min((found.start for found in ledger), default=one.timeframe.floor(PRESENT))
    cells: list[tuple[int, SpanState | None]] = []
    while at < one.timeframe.floor(PRESENT):
        cells.append(
            (at, next((found.state for found in ledger if found.start <= at < found.end), None))
        )
        at = one.timeframe.shift(at, 1)
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
