"""Each fault of CardTrader's answers does what its name says, also in combination."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

if TYPE_CHECKING:
    from tests.simulator.conftest import Marketplace

FRAMINGS = ("length", "chunked", "close")
EXPORT = "products/export"


async def bare(
    market: Marketplace, path: str = EXPORT, *, accept: str = "gzip"
) -> tuple[bytes, bytes]:
    """Head and body as sent, including chunk sizes, until the server closes."""
    host, _, port = market.url.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = (
        f"GET /api/v2/{path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer demo\r\n"
        f"Accept-Encoding: {accept}\r\nConnection: close\r\n\r\n"
    )
    writer.write(head.encode())
    answered = await reader.read(-1)
    writer.close()
    first, _, body = answered.partition(b"\r\n\r\n")
    return first.lower(), body


def unchunked(body: bytes) -> tuple[bytes, bool]:
    """The payload, and whether the final chunk arrived."""
    payload = b""
    while body:
        size, _, rest = body.partition(b"\r\n")
        if size == b"0":
            return payload, True
        payload, body = payload + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
    return payload, False


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("framing", FRAMINGS)
async def test_a_body_is_whole_under_each_framing(
    market: Marketplace, framing: str, *, compressed: bool
) -> None:
    proper = (await market.raw(EXPORT))[1]
    await market.faults(
        {"name": "framing", "kind": framing}, {"name": "gzip", "probability": int(compressed)}
    )
    head, body = await bare(market)
    assert (b"content-length: " in head, b"transfer-encoding: chunked" in head) == (
        framing == "length",
        framing == "chunked",
    )
    assert (b"content-encoding: gzip" in head) == compressed
    if framing == "chunked":
        body, ended = unchunked(body)
        assert ended
    assert (gzip.decompress(body) if compressed else body) == proper
    assert (await market.raw(EXPORT))[1] == proper


async def test_a_client_that_does_not_accept_gzip_gets_none(market: Marketplace) -> None:
    await market.faults({"name": "gzip"})
    head, body = await bare(market, accept="identity")
    assert b"gzip" not in head
    assert len(json.loads(body)) == 400


@pytest.mark.parametrize("at", [0, 1, 1000, -1])
@pytest.mark.parametrize("framing", FRAMINGS)
async def test_a_body_is_cut_at_the_byte_asked_for(
    market: Marketplace, framing: str, at: int
) -> None:
    proper = (await market.raw(EXPORT))[1]
    await market.faults({"name": "cut", "at": at}, {"name": "framing", "kind": framing})
    head, body = await bare(market)
    if framing == "chunked":
        body, ended = unchunked(body)
        assert not ended
    assert body == proper[:at]
    if framing == "length":
        assert f"content-length: {len(proper)}".encode() in head
    if framing == "close":
        assert (await market.raw(EXPORT))[1] == proper[:at]
    else:
        with pytest.raises(aiohttp.ClientPayloadError):
            await market.raw(EXPORT)


@pytest.mark.parametrize("framing", FRAMINGS)
async def test_a_cut_can_hide_behind_a_whole_framing(market: Marketplace, framing: str) -> None:
    proper = (await market.raw(EXPORT))[1]
    await market.faults(
        {"name": "cut", "at": 5000, "framed": True}, {"name": "framing", "kind": framing}
    )
    assert (await market.raw(EXPORT))[1] == proper[:5000]


async def test_a_cut_gzip_can_hide_behind_a_whole_framing(market: Marketplace) -> None:
    proper = (await market.raw(EXPORT))[1]
    await market.faults({"name": "cut", "at": -9, "framed": True}, {"name": "gzip"})
    head, body = await bare(market)
    assert f"content-length: {len(body)}".encode() in head
    unpacking = zlib.decompressobj(16 + zlib.MAX_WBITS)
    assert proper.startswith(unpacking.decompress(body))
    assert not unpacking.eof


async def test_a_throttled_export_comes_slowly_and_whole(market: Marketplace) -> None:
    proper = (await market.raw(EXPORT))[1]
    await market.faults({"name": "throttle", "bytes_per_s": 4 * len(proper)})
    assert (await market.raw(EXPORT))[1] == proper
    await market.faults({"name": "throttle", "bytes_per_s": 1000})
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(market.raw(EXPORT), 0.5)


async def test_the_first_byte_can_come_late_and_drip(market: Marketplace) -> None:
    await market.faults({"name": "latency", "ms": 60_000})
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(market.raw("games"), 0.2)
    await market.faults({"name": "slow", "bytes": 100, "pause_ms": 1})
    assert len((await market.get("games"))["array"]) == 5


async def test_data_that_is_not_ready_is_a_404_so_many_times(market: Marketplace) -> None:
    await market.faults({"name": "not_ready", "path": "export", "count": 2})
    for _ in range(2):
        status, body, _ = await market.raw(EXPORT)
        assert status == 404
        assert json.loads(body)["extra"]["message"].startswith(
            "Data is not ready for products/export"
        )
    assert len(await market.get(EXPORT)) == 400


async def test_a_502_is_html_and_other_refusals_have_the_documented_bodies(
    market: Marketplace,
) -> None:
    await market.faults({"name": "server_error", "code": 502, "count": 1})
    status, body, headers = await market.raw(EXPORT)
    assert (status, headers["Content-Type"].split(";")[0], body[:6]) == (
        502,
        "text/html",
        b"<html>",
    )
    await market.faults({"name": "server_error", "code": 503})
    status, body, _ = await market.raw(EXPORT)
    assert (status, "error_code" in json.loads(body)) == (503, True)
    await market.faults({"name": "rate_limit"})
    status, body, headers = await market.raw(EXPORT)
    assert (status, json.loads(body)) == (
        429,
        {"error": "Too many requests: max 200 requests per 10 seconds"},
    )
    assert "Retry-After" not in headers
    for code in (401, 403):
        await market.faults({"name": "unauthorized", "code": code})
        status, body, _ = await market.raw("info")
        assert (status, "error_code" in json.loads(body)) == (code, True)


async def test_a_fault_hits_only_the_token_it_names(market: Marketplace) -> None:
    await market.faults({"name": "unauthorized", "token": "other"})
    assert [(await market.raw("info", token=token))[0] for token in ("demo", "other")] == [200, 401]


@pytest.mark.parametrize("path", [EXPORT, "expansions", "blueprints/export?expansion_id=1"])
async def test_arrays_can_come_in_an_object(market: Marketplace, path: str) -> None:
    proper = await market.get(path)
    await market.faults({"name": "array"})
    assert await market.get(path) == {"array": proper}
    await market.faults({"name": "array"}, {"name": "gzip"}, {"name": "framing", "kind": "chunked"})
    assert await market.get(path) == {"array": proper}


async def test_games_can_come_as_a_bare_array_and_objects_stay_as_they_are(
    market: Marketplace,
) -> None:
    games, info = await market.get("games"), await market.get("info")
    await market.faults({"name": "array", "wrapped": False})
    assert await market.get("games") == games["array"]
    await market.faults({"name": "array"})
    assert await market.get("games") == games
    assert await market.get("info") == info


async def with_bad(market: Marketplace, kind: str, **parameters: object) -> list[dict[str, Any]]:
    await market.faults({"name": "bad_products", "kind": kind} | parameters)
    return list(await market.get(EXPORT))


async def test_one_row_can_be_doubled_or_unreadable(market: Marketplace) -> None:
    proper = await market.get(EXPORT)
    assert await with_bad(market, "duplicate", row=7) == [*proper, proper[7]]
    malformed = await with_bad(market, "malformed", row=3)
    assert malformed[3] == proper[3] | {"price_cents": "12,50"}
    missing = await with_bad(market, "missing_id", row=3)
    assert missing[3] | {"id": proper[3]["id"]} == proper[3]
    assert "id" not in missing[3]
    for rows in (malformed, missing):
        assert [*rows[:3], *rows[4:]] == [*proper[:3], *proper[4:]]
    await market.faults({"name": "bad_products", "kind": "broken_json", "row": 3})
    with pytest.raises(json.JSONDecodeError):
        await market.get(EXPORT)


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [("currency", "price_currency", "USD"), ("another_seller", "user_id", 999_999)],
)
async def test_rows_can_be_of_another_currency_or_seller(
    market: Marketplace, kind: str, field: str, value: object
) -> None:
    proper = await market.get(EXPORT)
    assert await with_bad(market, kind) == [row | {field: value} for row in proper]
    some = await with_bad(market, kind, percent=25)
    assert (
        sum(row != was for row, was in zip(some, proper, strict=True))
        == sum(row[field] == value for row in some)
        == 100
    )


async def test_rows_can_have_a_field_that_nobody_knows(market: Marketplace) -> None:
    proper = await market.get(EXPORT)
    rows = await with_bad(market, "unknown_field")
    assert {len(row) - len(was) for row, was in zip(rows, proper, strict=True)} == {1}
    assert [
        {name: row[name] for name in was} for row, was in zip(rows, proper, strict=True)
    ] == proper


async def test_rows_can_be_missing_without_having_gone(market: Marketplace) -> None:
    proper = await market.get(EXPORT)
    fewer = await with_bad(market, "fewer")
    assert len(fewer) == 280
    assert [row for row in proper if row in fewer] == fewer
    assert await with_bad(market, "empty") == []
    await market.faults()
    assert await market.get(EXPORT) == proper


async def test_stock_sold_during_an_export_shows_in_its_second_half_and_in_the_next_one(
    market: Marketplace,
) -> None:
    before = await market.true_products()
    await market.faults({"name": "sold", "percent": 50, "count": 1})
    mixed = await market.get(EXPORT)
    after = await market.get(EXPORT)
    assert after == await market.true_products("2")
    assert mixed[:200] == before[:200] != after[:200]
    assert (
        mixed[200:]
        == [row for row in after if row["id"] in {row["id"] for row in before[200:]}]
        != before[200:]
    )
    assert (
        sum(row["bundled_quantity"] for row in before)
        - sum(row["bundled_quantity"] for row in after)
        == 200
    )


async def test_several_faults_act_together_and_their_names_are_noted(market: Marketplace) -> None:
    await market.faults(
        {"name": "latency", "ms": 1},
        {"name": "array"},
        {"name": "bad_products", "kind": "fewer"},
        {"name": "bad_products", "kind": "duplicate"},
    )
    rows = (await market.get(EXPORT))["array"]
    assert len({row["id"] for row in rows}) == len(rows) - 1
    _, seen = await market.admin("GET", "requests?limit=1")
    assert seen["newest"][0]["faults"] == ["latency", "array", "bad_products", "bad_products"]
