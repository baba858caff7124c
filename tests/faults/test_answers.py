"""Answers that no simulator sends: a server sends what a test defines, the source reads it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from penstock.errors import RateLimitedError, SourceUnavailableError
from penstock.http.client import HttpLimits
from penstock.market.source import PageAnswer, PageRequest, SourceConfig
from penstock.sources.binance import BinanceSource
from tests.api.steps import steps_on_the_loop
from tests.market_builders import MINUTE, ORIGIN, key
from tests.served import served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_GOOD = f'[{ORIGIN},"1.0","2.0","0.5","1.5","7",{ORIGIN + MINUTE - 1},"8",3,"4","5","0"]'


@contextlib.asynccontextmanager
async def answering(
    body: bytes, *, status: int = 200, headers: dict[str, str] | None = None
) -> AsyncIterator[BinanceSource]:
    """A source whose exchange answers everything with `body`."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body, status=status, headers=headers)

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    limits = HttpLimits(attempts=1, deadline_s=5)
    async with (
        served(app) as url,
        BinanceSource(SourceConfig(base_url=url, http=limits)) as source,
    ):
        yield source


async def answer_to(body: str | bytes) -> PageAnswer:
    async with answering(body.encode() if isinstance(body, str) else body) as source:
        return await source.candles(PageRequest(series=key(), start=ORIGIN, limit=1_000))


@pytest.mark.parametrize(
    "row",
    [
        "null",
        '"row"',
        "{}",
        "[]",
        "[true,1]",
        f'[{ORIGIN},"1.0"]',
        _GOOD.replace('"1.0"', "null"),
        _GOOD.replace('"1.0"', '{"a":1}'),
        _GOOD.replace(f"[{ORIGIN},", "[null,"),
        _GOOD.replace(f"[{ORIGIN},", "[true,"),
        _GOOD.replace(f"[{ORIGIN},", '["soon",'),
        _GOOD.replace(f"[{ORIGIN},", f"[{'9' * 400},").replace('"2.0"', "null"),
        _GOOD.replace(f"[{ORIGIN},", f"[{'9' * 5_000},"),
    ],
)
async def test_a_malformed_row_is_refused_and_its_neighbours_are_accepted(row: str) -> None:
    answer = await answer_to(f"[{_GOOD},{row},{_GOOD.replace(str(ORIGIN), str(ORIGIN + MINUTE))}]")
    assert [candle.open_time for candle in answer.candles] == [ORIGIN, ORIGIN + MINUTE]
    [refused] = answer.rejected
    assert refused.reason == "malformed"
    assert refused.open_time is None or type(refused.open_time) is int


@pytest.mark.parametrize("opened", [f'"{ORIGIN}"', f"{ORIGIN}.0", f'"{ORIGIN}.0"'])
async def test_a_time_as_text_or_with_a_decimal_point_is_accepted(opened: str) -> None:
    row = _GOOD.replace(f"[{ORIGIN},", f"[{opened},")
    answer = await answer_to(f"[{row}]")
    assert ([candle.open_time for candle in answer.candles], answer.rejected) == ([ORIGIN], [])
    refused = await answer_to("[" + row.replace('"2.0"', "null") + "]")
    assert [row.open_time for row in refused.rejected] == [ORIGIN]


@pytest.mark.parametrize(
    ("given", "volume"),
    [('"12.5"', 12.5), ("12.5", 12.5), ("12", 12.0), ("null", None), ('"NaN"', None), ("-1", None)],
)
async def test_one_unreadable_volume_does_not_remove_the_others(
    given: str, volume: float | None
) -> None:
    body = (
        f'[{{"symbol":"BTCUSDT","quoteVolume":{given}}},{{"symbol":"ETHUSDT","quoteVolume":"1.0"}}]'
    )
    async with answering(body.encode()) as source:
        assert await source.volumes() == {"ETHUSDT": 1.0} | (
            {} if volume is None else {"BTCUSDT": volume}
        )


@pytest.mark.parametrize("number", ["1.10", "100", "1e5", "NaN", "Infinity"])
async def test_an_unquoted_number_is_stored_as_written_or_refused_but_never_rounded(
    number: str,
) -> None:
    row = _GOOD.replace('"1.0"', number)
    answer = await answer_to(f"[{row}]")
    assert [candle.open for candle in answer.candles] in ([number], [])
    assert len(answer.candles) + len(answer.rejected) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"{}",
        b'{"code":-1121,"msg":"Invalid symbol."}',
        b"[[[",
        b"[" * 100_000,
        b"[" + b"[1," * 50_000,
        b'{"a":' * 50_000,
        b"\xff\xfe",
        f"[{_GOOD}".encode(),
        f"[{_GOOD}] and more".encode(),
    ],
    ids=range(11),
)
async def test_a_body_that_makes_no_sense_is_an_error_that_can_be_retried(body: bytes) -> None:
    with pytest.raises(SourceUnavailableError):
        await answer_to(body)


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b"[]",
        b'{"serverTime":"soon"}',
        b'{"serverTime":null}',
        b'{"a":' * 50_000,
        b'{"serverTime":1,"a":' + b"[" * 100_000,
    ],
)
async def test_an_implausible_clock_is_a_temporary_error(body: bytes) -> None:
    async with answering(body) as source:
        with pytest.raises(SourceUnavailableError):
            await source.server_time()


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"Retry-After": "soon"},
        {"Retry-After": "-5"},
        {"Retry-After": "1.5"},
        {"Retry-After": "Wed, 21 Oct 2099 07:28:00 GMT"},
        {"Retry-After": "1795878660000"},
        {"Retry-After": "9" * 25},
        {"Retry-After": "9" * 5_000},
        {"Retry-After": str(4 * 86_400 + 1)},
    ],
)
@pytest.mark.parametrize("status", [429, 418])
async def test_a_pause_without_a_readable_length_lasts_a_minute(
    status: int, header: dict[str, str]
) -> None:
    async with answering(b"{}", status=status, headers=header) as source:
        with pytest.raises(RateLimitedError) as raised:
            await source.server_time()
        assert raised.value.retry_after_s == 60


@pytest.mark.parametrize("used", ["", "many", "-1", "1e9", "9" * 400, "9" * 5_000, "²"])
async def test_an_implausible_count_of_used_weight_stops_nothing(used: str) -> None:
    async with answering(b'{"serverTime":5}', headers={"X-MBX-USED-WEIGHT-1M": used}) as source:
        assert await source.server_time() == 5


@pytest.mark.parametrize(
    "body",
    [
        f'[[{ORIGIN},"{"9" * 31_000_000}"]]'.encode(),
        b"[" + b"[1]," * 1_000_000 + b"[1]]",
        b"[" * 31_000_000,
    ],
    ids=["one row", "many rows", "brackets"],
)
async def test_a_page_of_megabytes_is_refused_before_it_is_decoded(body: bytes) -> None:
    async with answering(body) as source:
        for ask in (
            source.server_time,
            lambda: source.candles(PageRequest(series=key(), start=ORIGIN, limit=1_000)),
        ):
            with pytest.raises(SourceUnavailableError, match="is larger than 2097152 bytes"):
                await ask()


async def test_of_a_page_with_too_many_bad_rows_no_more_are_read_than_tell_it() -> None:
    answer = await answer_to("[" + "[null]," * 200_000 + "[null]]")
    assert answer.rows == 1_001


_SYMBOL = '{"symbol":"%d","status":"TRADING","baseAsset":"%d","quoteAsset":"USDT"}'


async def test_a_list_is_decoded_off_the_loop_up_to_a_number_of_rows() -> None:
    def listing(count: int) -> bytes:
        rows = ",".join(_SYMBOL % (number, number) for number in range(count))
        return f'{{"timezone":"UTC","symbols":[{rows}]}}'.encode()

    async with answering(listing(50_000)) as source:
        with steps_on_the_loop() as steps:
            assert len(await source.instruments()) == 50_000
    assert steps.most <= 2_000, steps
    async with answering(listing(50_001)) as source:
        with pytest.raises(SourceUnavailableError, match="more than 50,000 rows"):
            await source.instruments()
    long = listing(1).replace(b"TRADING", b"a" * 70_000)
    async with answering(long) as source:
        with pytest.raises(SourceUnavailableError, match="longer than 65,536 bytes"):
            await source.instruments()


async def test_volumes_are_decoded_off_the_loop_up_to_a_number_of_rows() -> None:
    rows = ",".join(f'{{"symbol":"{number}","quoteVolume":"1.5"}}' for number in range(50_001))
    async with answering(f"[{rows}]".encode()) as source:
        with pytest.raises(SourceUnavailableError, match="more than 50,000 rows"):
            await source.volumes()
