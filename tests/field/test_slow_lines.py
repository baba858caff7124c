"""Slow lines, large lists and compressed answers."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from penstock.errors import SourceUnavailableError
from tests.acceptance.commands import Penstock
from tests.field.small_exchange import COLLECT, SmallExchange, asking, small_exchange
from tests.memory import forget_peak, peak_bytes
from tests.served import served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


def _many(**given: object) -> SmallExchange:
    """A list of 3,300 more symbols, each with 258 names in its permission sets: about 15 MB."""
    return SmallExchange(
        symbols=("BTCUSDT", *(f"A{number:04}USDT" for number in range(3_300))),
        names=258,
        **given,  # type: ignore[arg-type]
    )


async def test_a_large_list_arrives_over_a_slow_line_with_the_default_settings(
    tmp_path: Path,
) -> None:
    async with small_exchange(_many(bytes_s=1_200_000)) as exchange:
        done = await Penstock(tmp_path, {"PENSTOCK_BINANCE_URL": exchange.url})(*COLLECT)
    assert (done.code, done.err) == (0, "")
    # Compressed and reduced; at most once for the order and once for the run.
    assert exchange.sent < 200_000
    assert {query["showPermissionSets"] for query in exchange.asked_for("exchangeInfo")} == {
        "false"
    }


async def test_an_uncompressed_full_list_is_read_as_long_as_data_arrives() -> None:
    """Scaled down: ten times as long as the deadline for silence."""
    exchange = SmallExchange(
        symbols=[f"A{number}USDT" for number in range(400)],
        names=20,
        packs=False,
        hides_permissions=False,
        bytes_s=80_000,
    )
    async with small_exchange(exchange), asking(exchange.url, idle_s=0.5) as source:
        assert len(await source.instruments()) == 400
    assert exchange.sent / 80_000 > 1
    assert [dict(query) for query in exchange.asked_for("exchangeInfo")] == [
        {"showPermissionSets": "false"},
        {},
    ]


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"idle_s": 0.3}, r"no data for 0\.3 s \(PENSTOCK_REQUEST_IDLE_S\)"),
        (
            {"deadline_s": 0.3},
            r"the answer was incomplete after 0\.3 s \(PENSTOCK_REQUEST_DEADLINE_S\)",
        ),
    ],
    ids=["silence", "all of it"],
)
async def test_a_time_out_names_the_deadline_that_ran_out(
    limits: dict[str, float], said: str
) -> None:
    async def stuck(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            while True:
                await response.write(b" ")
                await asyncio.sleep(60 if "idle_s" in limits else 0.01)
        return response

    async with serving(stuck) as url, asking(url, **limits) as source:
        with pytest.raises(SourceUnavailableError, match=said):
            await source.instruments()


async def test_a_small_body_that_unpacks_to_a_huge_one_is_refused_in_bounded_memory() -> None:
    packed = gzip.compress(b" " * (256 * 2**20), 1)
    assert len(packed) < 2 * 2**20

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=packed, headers={"Content-Encoding": "gzip"})

    async with serving(answer) as url, asking(url) as source:
        forget_peak()
        before = peak_bytes()
        with pytest.raises(
            SourceUnavailableError, match="the answer is larger than 33554432 bytes"
        ) as refused:
            await source.instruments()
        assert peak_bytes() - before < 64 * 2**20
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize("damage", ["cut", "bytes", "members", "stray"])
async def test_a_compressed_body_is_accepted_only_when_complete(damage: str) -> None:
    body = b'{"symbols":[]}'
    packed = gzip.compress(body)
    sent = {
        "cut": packed[:-4],
        "bytes": packed[:12] + b"\xff\xff" + packed[14:],
        "members": gzip.compress(body[:5]) + gzip.compress(body[5:]),
        "stray": packed + b"stray",
    }[damage]

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=sent, headers={"Content-Encoding": "gzip"})

    async with serving(answer) as url, asking(url) as source:
        if damage == "members":
            assert await source.instruments() == []
            return
        with pytest.raises(
            SourceUnavailableError, match=r"the compressed answer (was cut|is damaged)"
        ):
            await source.instruments()


@contextlib.asynccontextmanager
async def serving(answer: web.RequestHandler | object) -> AsyncIterator[str]:
    """The URL of a server that gives this answer to every request."""
    app = web.Application()
    app.router.add_get("/{path:.*}", answer)  # type: ignore[arg-type]
    async with served(app) as url:
        yield url
