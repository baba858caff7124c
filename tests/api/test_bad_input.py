"""Bad input to routes that change something: a documented 4xx that names the field."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest

from tests.api.collector import collector

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.api.collector import Collector

_TOKENS = "/api/v1/admin/tokens"
_TOKEN = {"name": "bot", "scope": "read"}
_START = "/api/v1/data-collector/start"
_TASKS = "/api/v1/data-collector/tasks"


@pytest.fixture
async def service(database_url: str) -> AsyncIterator[Collector]:
    async with collector(database_url, work=False) as found:
        yield found


_WRONG_TOKENS: list[tuple[object, str]] = [
    ({"scope": "read"}, "name"),
    (_TOKEN | {"name": ""}, "name"),
    (_TOKEN | {"name": "x" * 10_000}, "name"),
    (_TOKEN | {"name": "a\0b"}, "name"),
    (_TOKEN | {"scope": "root"}, "scope"),
    (_TOKEN | {"expires_in_s": 0}, "expires_in_s"),
    (_TOKEN | {"expires_in_s": 10**12}, "expires_in_s"),
    (_TOKEN | {"expires_in_s": 2**70}, "expires_in_s"),
    (_TOKEN | {"id": 1}, "id"),
    ([], "body"),
]


async def test_a_bad_request_creates_no_token(
    service: Collector, subtests: pytest.Subtests
) -> None:
    for body, field in _WRONG_TOKENS:
        with subtests.test(repr(body)[:80]):
            status, answer = await service.call("POST", _TOKENS, body)
            assert (status, answer["code"], answer["field"]) == (422, "invalid_input", field)
            assert len(answer["detail"]) < 300
            assert await service.app.tokens.listed() == []


async def test_a_token_id_that_cannot_exist_is_refused(
    service: Collector, subtests: pytest.Subtests
) -> None:
    for token_id in (0, -1, 2**31, 2**63, 2**70, "one", "1.5", "%00"):
        with subtests.test(str(token_id)):
            status, answer = await service.call("DELETE", f"{_TOKENS}/{token_id}")
            assert (status, answer["field"]) == (422, "token_id")


async def test_an_unknown_token_is_not_found(service: Collector) -> None:
    status, answer = await service.call("DELETE", f"{_TOKENS}/7")
    assert (status, answer["code"]) == (404, "not_found")


_WRONG_COLLECTIONS: list[tuple[dict[str, Any], str]] = [
    ({"symbols": ["BTC\0USDT"]}, "symbols.0"),
    ({"symbols": ["B" * 10_000]}, "symbols.0"),
    ({"symbols": ["BTCUSTD"]}, "symbols"),
    ({"timeframes": ["7m"]}, "timeframes"),
    ({"symbols": ["BTCUSDT"], "timeframes": ["1m"], "exchange": "nowhere"}, "exchange"),
    ({"limit": 0}, "limit"),
    ({"limit": 10**12}, "limit"),
    ({"sort": "name"}, "sort"),
]


async def test_a_bad_request_starts_no_collection(
    service: Collector, subtests: pytest.Subtests
) -> None:
    for body, field in _WRONG_COLLECTIONS:
        with subtests.test(repr(body)[:80]):
            status, answer = await service.call("POST", _START, body)
            assert (status, answer["code"]) == (422, "invalid_input")
            assert answer["field"].startswith(field)
            assert (await service.call("GET", _TASKS))[1]["tasks"] == []


async def test_a_bad_list_request_names_the_field(
    service: Collector, subtests: pytest.Subtests
) -> None:
    for name, value in (
        ("sort", "secret"),
        ("cursor", 2**64),
        ("cursor", -1),
        ("limit", 10**12),
        ("task_type", "a%00b"),
    ):
        with subtests.test(f"{name}={value}"):
            status, answer = await service.call("GET", f"{_TASKS}?{name}={value}")
            assert (status, answer["field"]) == (422, name)


async def test_a_body_that_is_not_json_is_refused(
    service: Collector, subtests: pytest.Subtests
) -> None:
    for body, path in itertools.product(
        (b"\xff\xfe{", b"{", b'{"name": 1e400', b"[" * 100_000), (_TOKENS, _START)
    ):
        with subtests.test(f"{path} {body[:20]!r}"):
            async with service.session.post(
                path, data=body, headers={"Content-Type": "application/json"}
            ) as answer:
                found = await answer.json()
            assert (answer.status, found["code"]) == (422, "invalid_input")
            assert len(found["detail"]) < 300


async def test_a_number_of_many_digits_is_refused(
    service: Collector, subtests: pytest.Subtests
) -> None:
    digits = "9" * 5_000
    body = f'{{"symbols": ["BTCUSDT"], "limit": {digits}}}'
    async with service.session.post(
        _START, data=body, headers={"Content-Type": "application/json"}
    ) as answer:
        problem = await answer.json()
    assert (answer.status, problem["detail"]) == (422, "body: a number in it has too many digits")
    for path, field in (
        (f"{_TASKS}?limit={digits}", "limit"),
        (f"/api/v1/candles?symbol=BTCUSDT&timeframe=1m&start={digits}", "start"),
        ("/api/v1/candles?symbol=BTCUSDT&timeframe=1m&start=2026-13-45", "start"),
        (f"/api/v1/inventory/expansions?game={digits}", "game"),
        (f"/api/v1/inventory/accounts/{digits}/sync", "account_id"),
    ):
        with subtests.test(path[:60]):
            status, found = await service.call("GET", path)
            assert (status, found["field"]) == (422, field)
            assert len(found["detail"]) < 300


async def test_an_unreadable_body_is_refused_as_unreadable(
    service: Collector, subtests: pytest.Subtests
) -> None:
    for text in (b'{"symbols": ["BTCUSDT"', b"\xff\xfe", b"{]", b"[" * 100_000):
        with subtests.test(repr(text[:20])):
            async with service.session.post(
                _START, data=text, headers={"Content-Type": "application/json"}
            ) as answer:
                problem = await answer.json()
            assert (answer.status, problem["code"], problem["field"]) == (
                422,
                "invalid_input",
                "body",
            )
            assert problem["detail"] == "body: it cannot be read as JSON in UTF-8"
