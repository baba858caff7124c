"""The ways to a provider: proxies, slow lines, large lists, places that it refuses."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from penstock.domains.market import make_source
from penstock.errors import InvalidInputError, SourceRefusedError, SourceUnavailableError
from penstock.http.client import HttpLimits
from penstock.http.governor import LocalBudget
from penstock.http.proxy import parse_proxy, proxy_for
from penstock.market.source import SourceConfig
from penstock.settings import load_settings
from penstock.sources import binance
from penstock.sources.binance import BinanceSource
from tests.acceptance.commands import Penstock
from tests.field.forwarding import Forwarding, forwarding
from tests.field.small_exchange import SmallExchange, small_exchange
from tests.memory import forget_peak, peak_bytes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

_COLLECT = ("collect", "BTCUSDT", "-t", "1m", "--limit", "3")
_SPELLINGS = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "PENSTOCK_PROXY"]
# A name that no resolver has: only a proxy can reach it.
_ELSEWHERE = "http://binance.invalid"


@pytest.fixture
async def exchange() -> AsyncIterator[SmallExchange]:
    async with small_exchange(SmallExchange()) as one:
        yield one


@pytest.fixture
async def proxy(exchange: SmallExchange) -> AsyncIterator[Forwarding]:
    async with forwarding(Forwarding(to=urlsplit(exchange.url).port or 0)) as one:
        yield one


def user(folder: Path, address: str, **variables: str) -> Penstock:
    return Penstock(
        folder, {"PENSTOCK_BINANCE_URL": address, "PENSTOCK_REQUEST_ATTEMPTS": "1", **variables}
    )


# ── Proxies ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", _SPELLINGS)
async def test_a_proxy_that_is_named_is_used(tmp_path: Path, proxy: Forwarding, name: str) -> None:
    done = await user(tmp_path, _ELSEWHERE, **{name: proxy.url})(*_COLLECT)
    assert (done.code, done.err) == (0, "")
    assert len(proxy.asked) >= 3
    assert all(line.startswith(f"GET {_ELSEWHERE}/api/v3/") for line in proxy.asked)


@pytest.mark.parametrize("name", _SPELLINGS)
async def test_what_is_on_this_machine_is_never_asked_for_by_a_proxy(
    tmp_path: Path, exchange: SmallExchange, proxy: Forwarding, name: str
) -> None:
    local = exchange.url.replace("127.0.0.1", "localhost")
    for address in (exchange.url, local):
        assert (await user(tmp_path, address, **{name: proxy.url})(*_COLLECT)).code == 0
    assert proxy.asked == []


async def test_what_no_proxy_excepts_is_asked_for_directly(
    tmp_path: Path, proxy: Forwarding
) -> None:
    refused = await user(tmp_path, _ELSEWHERE, HTTP_PROXY=proxy.url, NO_PROXY="binance.invalid")(
        *_COLLECT
    )
    assert refused.code == 4
    assert "Cannot connect to host binance.invalid" in refused.complaint
    assert proxy.asked == []


async def test_a_proxy_gets_the_password_of_the_setting_and_nobody_else_does(
    tmp_path: Path, proxy: Forwarding
) -> None:
    proxy.password = "hush-hush"
    address = f"http://user:{proxy.password}@127.0.0.1:{proxy.port}"
    asked = user(tmp_path, _ELSEWHERE, PENSTOCK_PROXY=address, PENSTOCK_LOG_LEVEL="debug")
    done = await asked(*_COLLECT)
    assert done.code == 0, done.err
    healthy = await asked("doctor")
    assert (
        f"reachable at {_ELSEWHERE} via the proxy {proxy.url} (PENSTOCK_PROXY), its clock is"
        in healthy.out
    )
    for wrong in (proxy.url, address.replace("hush", "x")):
        refused = await user(tmp_path, _ELSEWHERE, PENSTOCK_PROXY=wrong)(*_COLLECT)
        assert refused.code == 3
        assert refused.complaint.startswith(
            f"the proxy {proxy.url} (PENSTOCK_PROXY) needs a user and password, or does not accept "
            "these (HTTP 407): set "
        )
        assert "x-x" not in refused.complaint
    assert proxy.password not in done.out + done.err + healthy.out + healthy.err


async def test_a_proxy_that_cannot_be_reached_is_named_with_its_setting(tmp_path: Path) -> None:
    for name in ("PENSTOCK_PROXY", "HTTP_PROXY"):
        refused = await user(tmp_path, _ELSEWHERE, **{name: "http://user:hush-hush@127.0.0.1:1"})(
            *_COLLECT
        )
        assert refused.code == 4
        assert refused.complaint.startswith(
            f"the proxy http://127.0.0.1:1 ({name}) cannot be reached ("
        )
        assert "PENSTOCK_PROXY" in refused.complaint
        assert "hush" not in refused.complaint


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [(407, 3, "needs a user and password"), (403, 3, "HTTP 403"), (502, 4, "HTTP 502")],
)
async def test_a_proxy_that_opens_no_tunnel_is_named(
    tmp_path: Path, proxy: Forwarding, status: int, code: int, said: str
) -> None:
    proxy.tunnel_status = status
    refused = await user(tmp_path, "https://binance.invalid", HTTPS_PROXY=proxy.url)(*_COLLECT)
    assert refused.code == code
    assert refused.complaint.startswith(f"the proxy {proxy.url} (HTTPS_PROXY) ")
    assert said in refused.complaint
    assert proxy.asked == ["CONNECT binance.invalid:443"]


@pytest.mark.parametrize(
    "proxy",
    [
        "socks5://127.0.0.1:1080",
        "ftp://x",
        "http://",
        "http://x:99999",
        "http://us%3Aer:пароль@x:1",
    ],
)
async def test_what_is_no_http_proxy_is_refused_by_name_and_not_shown(
    proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PENSTOCK_PROXY", proxy)
    with pytest.raises(InvalidInputError, match=r"^PENSTOCK_PROXY: ") as refused:
        load_settings()
    assert "пароль" not in str(refused.value)
    monkeypatch.delenv("PENSTOCK_PROXY")
    monkeypatch.setenv("ALL_PROXY", proxy)
    with pytest.raises(InvalidInputError, match=r"^ALL_PROXY: "):
        proxy_for(_ELSEWHERE, "")
    assert proxy_for("http://127.0.0.1:1", "") is None


@pytest.mark.parametrize(
    ("excepted", "address", "direct"),
    [
        ("", "http://a.example", False),
        ("*", "http://a.example", True),
        ("example", "http://a.example", True),
        (".a.example", "http://a.example", True),
        ("b.example, A.example", "http://a.example", True),
        ("a.example:81", "http://a.example", False),
        ("a.example:443", "https://a.example", True),
        ("a.example", "https://ba.example", False),
        ("10.0.0.0/8", "http://10.1.2.3:8080", True),
        ("10.0.0.0/8", "http://11.1.2.3", False),
        ("fd00::/8", "http://[fd00::1]:80", True),
        ("", "http://127.9.9.9", True),
        ("", "http://[::1]:8000", True),
        ("", "http://[::ffff:127.0.0.1]", True),
        ("", "http://LOCALHOST.:80", True),
        ("", "http://sim.localhost", True),
        ("", "http://localhost.example", False),
    ],
)
def test_which_way_an_address_is_reached(
    excepted: str, address: str, direct: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", excepted)
    assert (proxy_for(address, "proxy.example:3128") is None) == direct
    monkeypatch.setenv("ALL_PROXY", "http://proxy.example:3128")
    assert (proxy_for(address, "") is None) == direct


def test_a_proxy_shows_no_password() -> None:
    proxy = parse_proxy("http://user:hush@proxy.example:3128", "PENSTOCK_PROXY")
    assert proxy.authorization
    assert "hush" not in f"{proxy} {proxy!r} {HttpLimits(proxy='http://user:hush@x')!r}"


# ── Slow lines and large lists ────────────────────────────────────────────────


def _many(**given: object) -> SmallExchange:
    """A list of 3,300 symbols more, with 258 names in the permission sets of each: some 15 MB."""
    return SmallExchange(
        symbols=("BTCUSDT", *(f"A{number:04}USDT" for number in range(3_300))),
        names=258,
        **given,  # type: ignore[arg-type]
    )


async def test_a_large_list_comes_over_a_slow_line_with_the_default_settings(
    tmp_path: Path,
) -> None:
    async with small_exchange(_many(bytes_s=1_200_000)) as exchange:
        done = await Penstock(tmp_path, {"PENSTOCK_BINANCE_URL": exchange.url})(*_COLLECT)
    assert (done.code, done.err) == (0, "")
    # Packed and without what is not needed, once for the order and once for the run at the most.
    assert exchange.sent < 200_000
    assert {query["showPermissionSets"] for query in exchange.asked_for("exchangeInfo")} == {
        "false"
    }


async def test_a_server_that_neither_packs_nor_leaves_out_is_read_as_long_as_something_comes() -> (
    None
):
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
async def test_a_packed_body_is_whole_or_none(damage: str) -> None:
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


# ── Places that a provider refuses ────────────────────────────────────────────


@pytest.mark.parametrize("status", [451, 403])
async def test_a_refused_place_is_told_the_way_out_and_asks_no_further(
    tmp_path: Path, exchange: SmallExchange, status: int
) -> None:
    exchange.refuses = status
    refused = await Penstock(tmp_path, {"PENSTOCK_BINANCE_URL": exchange.url})(*_COLLECT)
    assert refused.code == 3
    assert (
        "set PENSTOCK_BINANCE_URL to https://data-api.binance.vision,"
        " which serves market data only, or set PENSTOCK_PROXY to" in refused.complaint
    )
    assert f"HTTP {status}" in refused.complaint
    assert len(exchange.asked) == 1


@pytest.mark.parametrize("status", [451, 403])
async def test_the_default_address_is_left_for_the_other_one_and_that_is_said_once(
    monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    async with (
        small_exchange(SmallExchange(refuses=status)) as first,
        small_exchange(SmallExchange()) as second,
    ):
        monkeypatch.setattr(binance, "_URL", first.url)
        monkeypatch.setattr(binance, "_PUBLIC_DATA_URL", second.url)
        budget = LocalBudget()
        with capture_logs() as logs:
            async with make_source("binance", load_settings(), budget) as source:
                listed = await asyncio.gather(*(source.instruments() for _ in range(8)))
                assert source.way == second.url
                await source.server_time()
        assert [len(one) for one in listed] == [1] * 8
        assert [entry["to"] for entry in logs if entry["log_level"] == "warning"] == [second.url]
        assert 1 <= len(first.asked) <= 8
        assert len(second.asked) == 9
        # All of it is counted in one budget: by Binance it is, too.
        assert budget._used > 0
        second.refuses = status
        async with BinanceSource(SourceConfig()) as source:
            with pytest.raises(
                SourceRefusedError,
                match=r"set PENSTOCK_PROXY to a proxy elsewhere \(GET " + second.url,
            ):
                await source.server_time()


async def test_an_address_of_the_user_is_not_left(
    monkeypatch: pytest.MonkeyPatch, exchange: SmallExchange
) -> None:
    async with small_exchange(SmallExchange()) as second:
        monkeypatch.setattr(binance, "_PUBLIC_DATA_URL", second.url)
        exchange.refuses = 451
        async with asking(exchange.url) as source:
            with pytest.raises(SourceRefusedError):
                await source.server_time()
        assert second.asked == []


async def test_after_three_refusals_of_the_place_nothing_more_is_asked(
    exchange: SmallExchange,
) -> None:
    exchange.refuses = 403
    async with asking(exchange.url) as source:
        for _ in range(10):
            with pytest.raises(SourceRefusedError, match="HTTP 403"):
                await source.server_time()
    assert len(exchange.asked) == 3


async def test_refusals_with_answers_between_them_are_of_single_requests(
    exchange: SmallExchange,
) -> None:
    async with asking(exchange.url) as source:
        for status in (403, 403, None, 403, 403, None):
            exchange.refuses = status
            with contextlib.suppress(SourceRefusedError):
                await source.server_time()
    assert len(exchange.asked) == 6


@contextlib.asynccontextmanager
async def asking(url: str, **limits: float) -> AsyncIterator[BinanceSource]:
    async with BinanceSource(
        SourceConfig(base_url=url, http=HttpLimits(attempts=1, **limits))  # type: ignore[arg-type]
    ) as source:
        yield source


@contextlib.asynccontextmanager
async def serving(answer: web.RequestHandler | object) -> AsyncIterator[str]:
    """The URL of a server that answers everything so."""
    app = web.Application()
    app.router.add_get("/{path:.*}", answer)  # type: ignore[arg-type]
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
