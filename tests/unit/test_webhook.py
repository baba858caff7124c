"""Webhooks against a real receiver: signed, no redirects, a deadline, the checked address."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import socket
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from penstock.alerts.book import AlertTarget, TargetKind, trial_body
from penstock.alerts.notify.sender import Sender
from penstock.errors import InvalidInputError, UndeliveredError
from tests.receiver import receiving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.receiver import Receiver

BODY = trial_body(0)
KEY = "a key of some length"
OPEN = Sender(deadline_s=30, allow_private=True)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


def target(url: str, kind: TargetKind = TargetKind.WEBHOOK) -> AlertTarget:
    return AlertTarget(
        id=1,
        name="mine",
        kind=kind,
        url=url,
        signing_key=KEY if kind is TargetKind.WEBHOOK else None,
    )


async def test_a_message_is_signed_over_its_time_and_its_bytes(receiver: Receiver) -> None:
    assert await OPEN.send(target(receiver.url + "/hook?a=1"), BODY) == "it answered 200"
    (request,) = receiver.received
    stamp, signed = (
        part.partition("=")[2] for part in request.headers["Penstock-Signature"].split(",")
    )
    assert (
        signed
        == hmac.new(KEY.encode(), f"{stamp}.".encode() + request.raw, hashlib.sha256).hexdigest()
    )
    assert abs(int(stamp) - time.time()) < 300
    assert request.headers["Penstock-Message-Id"] == request.body["id"] == BODY["id"]
    assert request.headers["Content-Type"] == "application/json"
    assert request.body == json.loads(json.dumps(BODY))


@pytest.mark.parametrize(
    ("status", "error"),
    [(500, "it answered 500"), (404, "it answered 404"), (302, "redirects are not followed")],
)
async def test_every_answer_except_success_is_a_failure_and_no_redirect_is_followed(
    receiver: Receiver, status: int, error: str
) -> None:
    receiver.answers.append(status)
    with pytest.raises(UndeliveredError, match=error):
        await OPEN.send(target(receiver.url), BODY)
    assert [request.path for request in receiver.received] == ["/"]


async def test_a_target_that_does_not_answer_fails_at_the_deadline(
    receiver: Receiver,
) -> None:
    with pytest.raises(UndeliveredError, match=r"no answer within 0\.3 s"):
        await Sender(deadline_s=0.3, allow_private=True).send(target(receiver.url + "/hang"), BODY)


async def test_an_unreachable_target_is_reported() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(UndeliveredError, match="cannot be reached"):
        await OPEN.send(target(f"http://127.0.0.1:{port}/"), BODY)


async def test_an_address_is_checked_again_before_each_message(
    receiver: Receiver,
) -> None:
    with pytest.raises(InvalidInputError, match="private network"):
        await Sender(deadline_s=30, allow_private=False).send(target(receiver.url), BODY)
    assert receiver.received == []


async def test_the_name_is_resolved_once_and_the_connection_uses_the_checked_address(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    loop = asyncio.get_running_loop()
    port = int(receiver.url.rpartition(":")[2])

    async def getaddrinfo(host: str, port: int, **_: object) -> list[Any]:
        # The second answer is what an attacker's name server would give after the check.
        asked.append(host)
        return [
            (
                socket.AF_INET,
                socket.SOCK_STREAM,
                6,
                "",
                ("127.0.0.1" if len(asked) == 1 else "127.0.0.2", port),
            )
        ]

    monkeypatch.setattr(loop, "getaddrinfo", getaddrinfo)
    await OPEN.send(target(f"http://hooks.example:{port}/"), BODY)
    assert asked == ["hooks.example"]
    assert receiver.received[0].headers["Host"] == f"hooks.example:{port}"


async def test_apprise_sends_messages_and_reports_failures(receiver: Receiver) -> None:
    apprise = target(receiver.url.replace("http://", "json://") + "/apprise", TargetKind.APPRISE)
    await OPEN.send(apprise, BODY)
    assert receiver.received[0].body["title"] == "Penstock: this is a test"
    receiver.answers.append(500)
    with pytest.raises(UndeliveredError, match="did not accept it"):
        await OPEN.send(apprise, BODY)
    receiver.answers.append(302)
    with pytest.raises(UndeliveredError, match="did not accept it"):
        await OPEN.send(replace(apprise, url=apprise.url + "?redirect=yes"), BODY)
    assert "/moved" not in [received.path for received in receiver.received]


@pytest.fixture
def _without_apprise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)


@pytest.mark.usefixtures("_without_apprise")
async def test_without_apprise_its_addresses_are_refused_with_the_command_that_installs_it() -> (
    None
):
    with pytest.raises(InvalidInputError) as refused:
        await OPEN.address("ntfy://topic")
    assert (
        str(refused.value)
        == "url: only webhooks work without Apprise; install it: pip install 'penstock[push]'"
    )


@pytest.mark.usefixtures("_without_apprise")
async def test_without_apprise_an_older_target_fails_with_a_hint_and_webhooks_work(
    receiver: Receiver,
) -> None:
    with pytest.raises(InvalidInputError, match="only webhooks work without Apprise"):
        await OPEN.send(
            target(receiver.url.replace("http://", "json://"), TargetKind.APPRISE), BODY
        )
    address = await OPEN.address(receiver.url)
    assert await OPEN.send(target(address.url), BODY) == "it answered 200"


async def test_apprise_has_a_deadline_and_its_own_threads(receiver: Receiver) -> None:
    slow = target(receiver.url.replace("http://", "json://") + "/hang", TargetKind.APPRISE)
    sender = Sender(deadline_s=1.0, allow_private=True)
    await sender.address(slow.url)
    with pytest.raises(UndeliveredError, match="not sent within"):
        await sender.send(slow, BODY)
