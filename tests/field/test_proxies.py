"""Proxies: which one is used for which request, and the error when it fails."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from penstock.errors import InvalidInputError
from penstock.http.client import HttpLimits
from penstock.http.proxy import parse_proxy, proxy_for
from penstock.settings import load_settings
from tests.acceptance.commands import Penstock
from tests.field.forwarding import Forwarding, forwarding
from tests.field.small_exchange import COLLECT, SmallExchange

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

_SPELLINGS = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "PENSTOCK_PROXY"]
# A name that no resolver has: only a proxy can reach it.
_ELSEWHERE = "http://binance.invalid"


@pytest.fixture
async def proxy(exchange: SmallExchange) -> AsyncIterator[Forwarding]:
    async with forwarding(Forwarding(to=urlsplit(exchange.url).port or 0)) as proxy:
        yield proxy


def user(folder: Path, address: str, **variables: str) -> Penstock:
    return Penstock(
        folder, {"PENSTOCK_BINANCE_URL": address, "PENSTOCK_REQUEST_ATTEMPTS": "1", **variables}
    )


@pytest.mark.parametrize("name", _SPELLINGS)
async def test_a_configured_proxy_is_used(tmp_path: Path, proxy: Forwarding, name: str) -> None:
    done = await user(tmp_path, _ELSEWHERE, **{name: proxy.url})(*COLLECT)
    assert (done.code, done.err) == (0, "")
    assert len(proxy.asked) >= 3
    assert all(line.startswith(f"GET {_ELSEWHERE}/api/v3/") for line in proxy.asked)


@pytest.mark.parametrize("name", _SPELLINGS)
async def test_requests_to_this_machine_never_use_a_proxy(
    tmp_path: Path, exchange: SmallExchange, proxy: Forwarding, name: str
) -> None:
    local = exchange.url.replace("127.0.0.1", "localhost")
    for address in (exchange.url, local):
        assert (await user(tmp_path, address, **{name: proxy.url})(*COLLECT)).code == 0
    assert proxy.asked == []


async def test_hosts_in_no_proxy_are_requested_directly(tmp_path: Path, proxy: Forwarding) -> None:
    refused = await user(tmp_path, _ELSEWHERE, HTTP_PROXY=proxy.url, NO_PROXY="binance.invalid")(
        *COLLECT
    )
    assert refused.code == 4
    assert "Cannot connect to host binance.invalid" in refused.complaint
    assert proxy.asked == []


async def test_only_the_proxy_gets_the_password_of_the_setting(
    tmp_path: Path, proxy: Forwarding
) -> None:
    proxy.password = "hush-hush"
    address = f"http://user:{proxy.password}@127.0.0.1:{proxy.port}"
    asked = user(tmp_path, _ELSEWHERE, PENSTOCK_PROXY=address, PENSTOCK_LOG_LEVEL="debug")
    done = await asked(*COLLECT)
    assert done.code == 0, done.err
    healthy = await asked("doctor")
    assert (
        f"reachable at {_ELSEWHERE} via the proxy {proxy.url} (PENSTOCK_PROXY), its clock is"
        in healthy.out
    )
    for wrong in (proxy.url, address.replace("hush", "x")):
        refused = await user(tmp_path, _ELSEWHERE, PENSTOCK_PROXY=wrong)(*COLLECT)
        assert refused.code == 3
        assert refused.complaint.startswith(
            f"the proxy {proxy.url} (PENSTOCK_PROXY) needs a user and password, or does not accept "
            "these (HTTP 407): set "
        )
        assert "x-x" not in refused.complaint
    assert proxy.password not in done.out + done.err + healthy.out + healthy.err


async def test_an_unreachable_proxy_is_named_with_its_setting(tmp_path: Path) -> None:
    for name in ("PENSTOCK_PROXY", "HTTP_PROXY"):
        refused = await user(tmp_path, _ELSEWHERE, **{name: "http://user:hush-hush@127.0.0.1:1"})(
            *COLLECT
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
    refused = await user(tmp_path, "https://binance.invalid", HTTPS_PROXY=proxy.url)(*COLLECT)
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
async def test_a_proxy_that_is_not_http_is_refused_by_setting_without_its_value(
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
def test_each_address_is_reached_by_the_right_proxy(
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
