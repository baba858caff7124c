"""Alerts are not sent to addresses that only this machine or its network can reach."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

import pytest

from penstock.alerts.notify.addresses import resolve
from penstock.alerts.notify.sender import Sender, kind_of, shown
from penstock.errors import InvalidInputError, UndeliveredError

if TYPE_CHECKING:
    from collections.abc import Callable

REFUSED = [
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "0.0.0.0",  # noqa: S104 - an address that is refused
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "192.0.0.9",
    "192.0.2.1",
    "192.31.196.1",
    "192.52.193.1",
    "192.88.99.1",
    "192.175.48.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "[::]",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:a9fe:a9fe]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b:1::a00:1]",
    "[2002:7f00:1::]",
    "[2001:0:a00:1::]",
    "[2001:0:5ef5:79fd::80ff:fffe]",
    "[fe80::1]",
    "[fec0::1]",
    "[fc00::1]",
    "[fd00:ec2::254]",
    "[ff02::1]",
    "[::ffff:192.0.0.192]",
    "[64:ff9b::c000:c0]",
    "[::8.8.8.8]",
    "[100::1]",
    "[2001:1::1]",
    "[2001:2::1]",
    "[2001:20::1]",
    "[2001:db8::1]",
    "[2002:808:808::1]",
    "[2620:4f:8000::1]",
    "[3fff::1]",
    "[4000::1]",
    "[5f00::1]",
    "localhost",
    "LOCALHOST",
]


@pytest.mark.parametrize("host", REFUSED)
async def test_an_address_that_is_not_public_is_refused_however_it_is_written(host: str) -> None:
    sender = Sender(deadline_s=30, allow_private=False)
    with pytest.raises(InvalidInputError, match="PENSTOCK_ALERT_PRIVATE_TARGETS"):
        await sender.address(f"http://{host}:8080/hook")


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
async def test_public_addresses_are_allowed(address: str) -> None:
    assert await resolve(address, 443, allow_private=False)


def _names(*addresses: str) -> Callable[..., Any]:
    async def getaddrinfo(host: str, port: int, **_: object) -> list[Any]:
        assert host == "hooks.example"
        return [
            (
                socket.AF_INET6 if ":" in address else socket.AF_INET,
                socket.SOCK_STREAM,
                6,
                "",
                (address, port),
            )
            for address in addresses
        ]

    return getaddrinfo


@pytest.mark.parametrize(
    "addresses",
    [("127.0.0.1",), ("8.8.8.8", "10.0.0.1"), ("2606:4700:4700::1111", "::ffff:169.254.169.254")],
)
async def test_a_name_is_refused_when_any_of_its_addresses_is_private(
    addresses: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", _names(*addresses))
    with pytest.raises(
        InvalidInputError, match=r"'hooks\.example' is an address of a private network"
    ):
        await Sender(deadline_s=30, allow_private=False).address("https://hooks.example/x")


async def test_a_target_with_an_unresolvable_name_can_be_added() -> None:
    with pytest.raises(UndeliveredError, match="is not known"):
        await resolve("nobody-knows.invalid", 80, allow_private=False)
    address = await Sender(deadline_s=30, allow_private=False).address(
        "https://nobody-knows.invalid/secret?token=1"
    )
    assert address.shown == "https://nobody-knows.invalid/…"


@pytest.mark.parametrize(
    "url",
    [
        "http://",
        "https:///path",
        "example.org/hook",
        "",
        "http://host:99999/",
        "http://a\x00b/",
        "http://[::1",
        "http://xn--/",
        "https://a..b/",
        f"https://{'a' * 64}.org/",
        "ntfy://[::1",
        "json://[::1/?a=b",
        f"jsons://host:{'9' * 5_000}/",
        "nothing://x",
    ],
)
async def test_an_invalid_address_is_refused(url: str) -> None:
    with pytest.raises(InvalidInputError, match=r"^url: "):
        await Sender(deadline_s=30, allow_private=True).address(url)


@pytest.mark.parametrize(
    "url",
    [
        "json://127.0.0.1/",
        "jsons://localhost/x",
        "ntfy://10.0.0.1/topic",
        "syslog://",
        "mailto://user:pass@192.168.0.5",
        "mailto://user:pass@example.org?smtp=127.0.0.1",
        "mailtos://user:pass@example.org?SMTP=127.0.0.1:25",
        "mailto://user:pass@example.org?pgppub=/etc/passwd",
        "fcm://project/token?mode=oauth2&keyfile=/etc/passwd",
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ?template=http://127.0.0.1/x",
        "discord://123456789012345678/abcdefghijklmnopqrstuvwxyz?template=/etc/passwd",
        "workflows://host/workflow/signature?template=http://127.0.0.1/x",
        "vapid://user@example.org?subfile=/etc/passwd",
        "nostr://key?relay=127.0.0.1",
        "discord://123456789012345678/abcdefghijklmnopqrstuvwxyz?what=ever",
    ],
)
async def test_an_apprise_url_cannot_bypass_the_check(url: str) -> None:
    with pytest.raises(InvalidInputError, match=r"^url: "):
        await Sender(deadline_s=30, allow_private=False).address(url)


@pytest.mark.parametrize(
    "url",
    [
        "discord://123456789012345678/abcdefghijklmnopqrstuvwxyz?avatar=no&footer=yes&tts=no",
        "ntfy://my-topic?priority=high&tags=warning",
        "tgram://123456789:abcdefg_hijklmnop/12315544/?silent=yes&format=html",
        "mailto://user:pass@gmail.com?to=me@example.org&name=Penstock",
        "jsons://1.1.1.1/path?+X-Token=abc&:field=value",
    ],
)
async def test_an_apprise_url_may_say_what_a_message_looks_like(url: str) -> None:
    assert (await Sender(deadline_s=30, allow_private=False).address(url)).url == url


async def test_a_token_in_place_of_a_host_is_accepted_and_not_shown() -> None:
    address = await Sender(deadline_s=30, allow_private=False).address(
        "discord://123456789012345678/abcdefghijklmnopqrstuvwxyz"
    )
    assert (address.shown, address.signing_key) == ("discord://…", None)


def test_a_shown_address_contains_no_secret() -> None:
    url = "https://user:password@example.org:8443/path?token=secret"
    assert shown(url, kind_of(url)) == "https://example.org:8443/…"
