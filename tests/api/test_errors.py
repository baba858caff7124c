"""Every error is `application/problem+json` with a stable code, and the service continues."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import psycopg
import pytest

from tests.api.service import served
from tests.postgres_server import away

_CANDLES = "/api/v1/candles"
_GOOD = {"symbol": "BTC/USDT", "timeframe": "1m"}


async def _problem(
    client: aiohttp.ClientSession, path: str, *, method: str = "GET", **given: Any
) -> dict[str, Any]:
    async with client.request(method, path, **given) as answer:
        assert answer.content_type == "application/problem+json", await answer.text()
        found: dict[str, Any] = await answer.json()
        assert found["status"] == answer.status
        assert found.keys() - {"field"} == {"type", "title", "status", "code", "detail"}
        assert "Traceback" not in found["detail"]
        return found


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"symbol": "BTCUSTD"}, "symbol"),
        ({"symbol": "BTC\0USDT"}, "symbol"),
        ({"symbol": "B" * 10_000}, "symbol"),
        ({"timeframe": "7m"}, "timeframe"),
        ({"timeframe": "1m" * 5_000}, "timeframe"),
        ({"exchange": "\0"}, "exchange"),
        ({"limit": "0"}, "limit"),
        ({"limit": "-1"}, "limit"),
        ({"limit": "1000000000000"}, "limit"),
        ({"limit": "9" * 5_000}, "limit"),
        ({"start": "yesterday"}, "start"),
        ({"start": "1969-12-31T23:59:59Z"}, "start"),
        ({"start": str(2**64)}, "start"),
        ({"end": "9999-12-31T23:59:59-23:59"}, "end"),
        ({"cursor": f"after:{2**64}"}, "cursor"),
        ({"cursor": "sideways:1"}, "cursor"),
        ({"format": "parquet"}, "format"),
        ({"symbool": "BTC/USDT"}, "symbool"),
    ],
    ids=lambda case: repr(case)[:40],
)
async def test_a_wrong_field_of_a_candles_query_is_named(
    client: aiohttp.ClientSession, wrong: dict[str, str], field: str
) -> None:
    found = await _problem(client, _CANDLES, params=_GOOD | wrong)
    assert (found["status"], found["code"], found["field"]) == (422, "invalid_input", field)
    assert found["detail"].startswith(f"{field}: ")
    assert len(found["detail"]) < 300


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("cursor", 2**31),
        ("cursor", 2**64),
        ("cursor", -1),
        ("limit", 0),
        ("limit", 10**12),
        ("symbol", "\0"),
    ],
)
async def test_a_wrong_field_of_a_series_query_is_named(
    client: aiohttp.ClientSession, field: str, value: object
) -> None:
    found = await _problem(client, "/api/v1/series", params={field: str(value)})
    assert (found["status"], found["code"], found["field"]) == (422, "invalid_input", field)


async def test_the_nearest_valid_names_are_suggested(client: aiohttp.ClientSession) -> None:
    assert (
        "did you mean BTC/USDT"
        in (await _problem(client, _CANDLES, params=_GOOD | {"symbol": "BTCUSTD"}))["detail"]
    )
    assert (
        "use one of 5m, 3m, 1m"
        in (await _problem(client, _CANDLES, params=_GOOD | {"timeframe": "7m"}))["detail"]
    )


async def test_an_unknown_path_or_object_is_not_found(client: aiohttp.ClientSession) -> None:
    found = await _problem(client, _CANDLES, params=_GOOD | {"timeframe": "1d"})
    assert (found["status"], found["code"]) == (404, "not_found")
    assert "BTC/USDT was never collected in 1d" in found["detail"]
    for path in ("/nothing", "/api/v1/nothing", "/redoc", "/api/v1/candles/"):
        found = await _problem(client, path, allow_redirects=False)
        assert (found["status"], found["code"]) == (404, "not_found")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_another_method_is_not_allowed(client: aiohttp.ClientSession, method: str) -> None:
    found = await _problem(client, _CANDLES, method=method)
    assert (found["status"], found["code"]) == (405, "method_not_allowed")


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example:80"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:3000"},
        {"Host": "127.0.0.1:8000", "Origin": "http://localhost:8000"},
        {"Origin": "http://127.0.0.1"},
    ],
    ids=lambda headers: next(reversed(headers.values())),
)
async def test_a_request_meant_for_another_site_is_forbidden(
    client: aiohttp.ClientSession, headers: dict[str, str]
) -> None:
    for path in ("/livez", "/nothing", _CANDLES):
        found = await _problem(client, path, headers=headers)
        assert (found["status"], found["code"]) == (403, "forbidden_host")


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "localhost"},
        {"Host": "[::1]:8000"},
        {"Host": "LOCALHOST:8000", "Origin": "http://localhost:8000"},
    ],
    ids=str,
)
async def test_requests_under_each_name_of_this_machine_are_accepted(
    client: aiohttp.ClientSession, headers: dict[str, str]
) -> None:
    async with client.get("/livez", headers=headers) as answer:
        assert (answer.status, await answer.json()) == (200, {"status": "ok"})


async def test_while_the_database_is_unavailable_requests_get_503(
    postgres_database: str,
) -> None:
    with served(postgres_database, timeout_s=2) as url:
        async with aiohttp.ClientSession(url) as client:
            assert await _readiness(client) == 200
            with away(postgres_database):
                for path, query in (
                    ("/readyz", {}),
                    (_CANDLES, _GOOD),
                    ("/api/v1/series", {}),
                    ("/api/v1/data-collector/latest-prices", {}),
                ):
                    async with client.get(path, params=query) as answer:
                        assert answer.status == 503
                        assert answer.content_type == "application/problem+json"
                        assert int(answer.headers["Retry-After"]) >= 1
                        assert (await answer.json())["code"] == "database_unavailable"
                async with client.get("/livez") as answer:
                    assert answer.status == 200
            assert await _readiness(client) == 200
            async with client.get(_CANDLES, params=_GOOD) as answer:
                assert len((await answer.json())["candles"]) == 25


async def _readiness(client: aiohttp.ClientSession) -> int:
    async with client.get("/readyz") as answer:
        return answer.status


async def test_the_service_answers_during_a_slow_read(postgres_database: str) -> None:
    with (
        served(postgres_database) as url,
        psycopg.connect(postgres_database) as blocker,
        psycopg.connect(postgres_database, autocommit=True) as watcher,
    ):
        async with aiohttp.ClientSession(url) as client:
            blocker.execute("LOCK TABLE candle IN ACCESS EXCLUSIVE MODE")
            slow = asyncio.create_task(_candles(client))
            while not watcher.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchall():
                await asyncio.sleep(0.01)
            for _ in range(20):
                async with client.get("/livez") as answer:
                    assert answer.status == 200
            assert not slow.done()
            blocker.rollback()
            assert await slow == 25


async def _candles(client: aiohttp.ClientSession) -> int:
    async with client.get(_CANDLES, params=_GOOD) as answer:
        return len((await answer.json())["candles"])
