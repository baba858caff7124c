"""Ledgers of known, complete and random series, and requests for them."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from penstock.market.collect.coverage import SpanState
from penstock.market.timeframe import Timeframe
from penstock.moment import iso
from tests.ledgers import HOUR, NOON, PRESENT, key, span, spans

if TYPE_CHECKING:
    import aiohttp

    from penstock.market.collect.coverage import Span
    from penstock.market.instrument import SeriesKey


SEED = 20260518


MANY = 2_400


STEPS = ("1h", "4h", "1d", "1w")


KNOWN = {
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
        for at in range(MANY, 0, -1)
    ],
}


def drawn(chosen: random.Random, number: int) -> tuple[SeriesKey, list[Span]]:
    """A series of random states, with ranges without a state, up to a time before now."""
    step = chosen.choice(STEPS)
    series = key(f"D{number}/USDT", step, exchange="drawn")
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
    return series, found


DRAWN = dict(drawn(random.Random(SEED + number), number) for number in range(60))


async def get(client: aiohttp.ClientSession, path: str, **query: object) -> Any:  # noqa: ANN401
    async with client.get(
        f"/api/v1/{path}", params={name: str(value) for name, value in query.items()}
    ) as answer:
        assert answer.status == 200, await answer.text()
        assert answer.content_type == "application/json"
        return await answer.json()


async def one_series(client: aiohttp.ClientSession, **query: object) -> dict[str, Any]:
    [item] = (await get(client, "coverage", **{"exchange": "binance", "timeframe": "1h"} | query))[
        "items"
    ]
    return dict(item)


def shown_span(state: str, before: int, after: int) -> dict[str, Any]:
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


# The states in the ledger, their start before noon, and how complete they are.
CASES: dict[str, tuple[list[Span], float | None]] = {
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


COMPLETE = {key(f"{name}/USDT"): found for name, (found, _) in CASES.items()}


async def pages(client: aiohttp.ClientSession, path: str, **query: object) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    following: dict[str, object] = {}
    while True:
        page = await get(client, path, **query, **following)
        found += page["items"]
        assert len(page["items"]) <= int(str(query["limit"]))
        if page["next_cursor"] is None:
            return found
        following = {"cursor": page["next_cursor"]}
