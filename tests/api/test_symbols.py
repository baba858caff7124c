"""`GET /symbols`: symbols that the exchanges list or have listed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from sqlalchemy import insert

from penstock.market.tables import instrument
from tests.api.collector import collector
from tests.api.service import served
from tests.databases import DATABASES
from tests.field.exchange import Exchange, answering, ms
from tests.ledgers import change

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from sqlalchemy import Connection

    from tests.databases import Databases

_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z")
# Base, quote, exchange and status.
_LISTED = [
    ("BTC", "USDT", "binance", "trading"),
    ("BTC", "EUR", "binance", "halted"),
    ("ETH", "BTC", "binance", "trading"),
    ("kPEPE", "USDT", "binance", "trading"),
    ("A_B", "USDT", "binance", "trading"),
    ("AXB", "USDT", "binance", "trading"),
    ("1%", "USDT", "binance", "trading"),
    ("10", "USDT", "binance", "delisted"),
    ("B\\C", "USDT", "binance", "trading"),
    ("éclair", "USDT", "binance", "trading"),
    ("ΩMEGA", "USDT", "binance", "trading"),
    ("straße", "USDT", "binance", "trading"),
    ("币安人生", "USDT", "binance", "trading"),
    ("BTC", "USDT", "another", "trading"),
]


@pytest.fixture(scope="module", params=DATABASES)
def service(
    request: pytest.FixtureRequest, databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The base URL of a service that knows these symbols; tests only read from it."""
    with databases.fresh(request.param, tmp_path_factory.mktemp("symbols")) as database:
        change(database, lambda store: store.database.write(_put))
        with served(database, None) as url:
            yield url


def _put(connection: Connection) -> None:
    connection.execute(insert(instrument), [_row(*symbol) for symbol in _LISTED])


def _row(base: str, quote: str, exchange: str, status: str) -> dict[str, Any]:
    names = {
        "exchange": exchange,
        "market": "spot",
        "native_symbol": base + quote,
        "base": base,
        "quote": quote,
        "symbol": f"{base}/{quote}",
    }
    return names | {"status": status, "seen_at": ms("2026-01-15T12:00:00")}


@pytest.fixture
async def client(service: str) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(service) as session:
        yield session


async def _symbols(client: aiohttp.ClientSession, **query: object) -> dict[str, Any]:
    async with client.get(
        "/api/v1/symbols", params={name: str(value) for name, value in query.items()}
    ) as answer:
        assert answer.status == 200, await answer.text()
        page: dict[str, Any] = await answer.json()
        assert page.keys() == {"items", "next_cursor"}
        return page


async def _named(client: aiohttp.ClientSession, **query: object) -> list[str]:
    return [symbol["symbol"] for symbol in (await _symbols(client, **query))["items"]]


async def test_a_symbol_is_shown_with_both_names_and_when_it_became_known(
    client: aiohttp.ClientSession,
) -> None:
    [found] = (await _symbols(client, q="BTC/EUR"))["items"]
    assert found == {
        "exchange": "binance",
        "market": "spot",
        "symbol": "BTC/EUR",
        "native_symbol": "BTCEUR",
        "base": "BTC",
        "quote": "EUR",
        "status": "halted",
        "seen_at": "2026-01-15T12:00:00Z",
        "gone_at": None,
    }


_BEGIN = {
    "BTC": ["BTC/USDT", "BTC/EUR", "BTC/USDT"],
    "btc": ["BTC/USDT", "BTC/EUR", "BTC/USDT"],
    "btc/e": ["BTC/EUR"],
    "BTCU": ["BTC/USDT", "BTC/USDT"],
    "USDT": [],
    "KPEPE": ["kPEPE/USDT"],
    "kpepeusdt": ["kPEPE/USDT"],
    "A_": ["A_B/USDT"],
    "a_b": ["A_B/USDT"],
    "_": [],
    "1%": ["1%/USDT"],
    "%": [],
    "1": ["1%/USDT", "10/USDT"],
    "B\\": ["B\\C/USDT"],
    "\\": [],
    "éclair": ["éclair/USDT"],
    "éCLAIR": ["éclair/USDT"],
    "ΩMEGA": ["ΩMEGA/USDT"],
    "Ωmega": ["ΩMEGA/USDT"],
    "straße": ["straße/USDT"],
    "STRAß": ["straße/USDT"],
    "币安": ["币安人生/USDT"],
    "'": [],
}


@pytest.mark.parametrize("begins", _BEGIN)
async def test_q_matches_prefixes_in_any_case_and_treats_every_character_literally(
    client: aiohttp.ClientSession, begins: str
) -> None:
    assert await _named(client, q=begins) == _BEGIN[begins]


async def test_filters_leave_only_what_they_name(client: aiohttp.ClientSession) -> None:
    assert await _named(client, exchange="another") == ["BTC/USDT"]
    assert await _named(client, exchange="nowhere") == []
    assert await _named(client, status="delisted") == ["10/USDT"]
    assert await _named(client, status="halted", q="b") == ["BTC/EUR"]
    assert await _named(client, status="trading", exchange="binance", q="btc") == ["BTC/USDT"]


@pytest.mark.parametrize("limit", [1, 7, len(_LISTED), 1_000])
async def test_pages_neither_repeat_nor_lose_one(client: aiohttp.ClientSession, limit: int) -> None:
    found: list[tuple[str, str]] = []
    cursor: int | None = 0
    while cursor is not None:
        page = await _symbols(client, limit=limit, cursor=cursor)
        found += [(symbol["exchange"], symbol["symbol"]) for symbol in page["items"]]
        cursor = page["next_cursor"]
    assert found == [(exchange, f"{base}/{quote}") for base, quote, exchange, _ in _LISTED]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("q", ""),
        ("q", "x" * 51),
        ("q", "B\0"),
        ("status", "gone"),
        ("limit", "0"),
        ("limit", "1001"),
        ("cursor", "-1"),
        ("cursor", "x"),
        ("sort", "q"),
    ],
)
async def test_an_invalid_query_is_refused_in_a_sentence_that_names_the_field(
    client: aiohttp.ClientSession, field: str, value: str
) -> None:
    async with client.get("/api/v1/symbols", params={field: value}) as answer:
        problem = await answer.json()
    assert (answer.status, problem["code"], problem["field"]) == (422, "invalid_input", field)


async def test_a_vanished_symbol_stays_listed_with_the_time_when_it_vanished(
    database_url: str,
) -> None:
    exchange = Exchange(
        ms("2026-01-15T12:00:30"), symbols={"BTCUSDT": ("BTC", "USDT"), "FTMUSDT": ("FTM", "USDT")}
    )
    async with answering(exchange), collector(database_url, binance_url=exchange.url) as service:

        async def refreshed() -> dict[str, dict[str, Any]]:
            await service.ended((await service.call("POST", "/refresh-symbols"))[1]["task_id"])
            return {
                symbol["symbol"]: symbol
                for symbol in (await service.get("/api/v1/symbols"))["items"]
            }

        first = await refreshed()
        assert [symbol["gone_at"] for symbol in first.values()] == [None, None]
        del exchange.symbols["FTMUSDT"]
        gone = await refreshed()
        assert gone["BTC/USDT"]["gone_at"] is None
        assert _UTC.fullmatch(gone["FTM/USDT"]["gone_at"])
        # One list without the symbol proves nothing.
        assert gone["FTM/USDT"]["status"] == "trading"
        assert gone["FTM/USDT"]["seen_at"] == first["FTM/USDT"]["seen_at"]
        assert gone["BTC/USDT"]["seen_at"] >= first["BTC/USDT"]["seen_at"]
        exchange.symbols["FTMUSDT"] = ("FTM", "USDT")
        assert (await refreshed())["FTM/USDT"]["gone_at"] is None
