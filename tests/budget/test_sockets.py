"""No message of a WebSocket client costs more than its budget, whether it reads or not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec
import pytest

from penstock.api.live.feeds.channels import ClientMessage
from tests.budget.floods import FLOODS
from tests.budget.generating import generated
from tests.budget.schemas import as_json, values
from tests.budget.sockets import CLOSE, CONTINUATION, PING, TEXT, RawSocket, frame

if TYPE_CHECKING:
    from tests.budget.spending import Spending
    from tests.conftest import Say
    from tests.trials import Trials

_NAMES, _AGAIN = 500, 100


def test_no_message_costs_more_than_its_budget(spent: Spending, trials: Trials, say: Say) -> None:
    send_messages(spent, trials.of(60, 3_000), trials.seed)
    say(f"{spent.check()}, seed {trials.seed}")


def send_messages(spent: Spending, count: int, number: int) -> None:
    """Send so many messages, generated from the documented schema, and wait until each is done."""
    schema = msgspec.json.schema(ClientMessage)
    document = {"$defs": schema["$defs"]}
    texts = values(schema, document).map(lambda value: as_json(value).encode()[:65_000])

    sent = generated(texts, count, number)
    spent.begin()
    for text in sent:
        with spent.message(text, len(text)), RawSocket(spent.service.value.door) as client:
            client.send(frame(text))
            client.carried_out()


def test_hundreds_of_unknown_names_cost_no_more_than_their_budget(spent: Spending) -> None:
    send_unknown_names(spent)


def send_unknown_names(spent: Spending) -> None:
    """Subscribe to series that do not exist."""
    text = _unknown("")
    with spent.message(text, len(text)), RawSocket(spent.service.value.door) as client:
        client.send(frame(text))
        client.carried_out()


@pytest.mark.parametrize("chunk", FLOODS.values(), ids=FLOODS.keys())
def test_many_frames_at_once_cost_no_more_than_their_budget(spent: Spending, chunk: bytes) -> None:
    with spent.message(chunk[:100], len(chunk)), RawSocket(spent.service.value.door) as client:
        client.send(chunk)
        client.send(frame(b"", kind=CLOSE))
        client.closed()
    spent.check()


def test_fragments_without_content_are_not_kept(spent: Spending) -> None:
    with RawSocket(spent.service.value.door) as client:
        client.send(frame(b"{", last=False), frame(b"", kind=CONTINUATION, last=False) * 1_001)
        assert client.closed() == 1009


def test_answers_to_pings_are_not_kept_for_a_client_that_does_not_read(spent: Spending) -> None:
    pings = frame(b"x" * 125, kind=PING) * 10_000
    with spent.message("pings", len(pings)), RawSocket(spent.service.value.door) as client:
        for _ in range(3):
            client.send_some(pings, 1.0)
        assert spent.check()


def test_a_slow_reader_that_subscribes_again_and_again_is_bounded(spent: Spending) -> None:
    subscribe_without_reading(spent)


def subscribe_without_reading(spent: Spending) -> None:
    """Ask for unknown series again and again, and read no answer; nothing of that is kept."""
    door = spent.service.value.door
    with RawSocket(door) as mute, RawSocket(door) as other:
        for number in range(_AGAIN):
            text = _unknown(f"{number}X")
            spent.sent += len(text)
            mute.send_some(frame(text), 1.0)
        other.carried_out()
        spent.check()


def _unknown(name: str) -> bytes:
    """A subscription to series that do not exist."""
    channel = {"channel": "market_data", "timeframe": "1m"}
    names = [channel | {"symbol": f"WRONG{name}{number}/USDT"} for number in range(_NAMES)]
    return json.dumps({"subscribe": names}).encode()


@pytest.mark.parametrize("kind", [TEXT, CONTINUATION])
def test_text_that_is_not_utf8_ends_the_connection_without_a_trace(
    spent: Spending, kind: int
) -> None:
    frames = [frame(b"\xff\xfe", kind=kind)]
    if kind == CONTINUATION:
        frames.insert(0, frame(b"{", last=False))
    with RawSocket(spent.service.value.door) as client:
        client.send(*frames)
        assert client.closed() == 1007
    assert spent.log.getvalue().count("\n") <= 1
    spent.check()


@pytest.mark.parametrize(
    "last", [frame(b"\xff") + frame(b"\x03\xe8", kind=CLOSE), frame(b"{}"), b""]
)
def test_a_reset_leaves_no_trace_in_the_log(spent: Spending, last: bytes) -> None:
    for _ in range(5):
        client = RawSocket(spent.service.value.door)
        client.send(frame(b'{"subscribe":[{"channel":"tasks"}]}'), last)
        client.reset()
    with RawSocket(spent.service.value.door) as client:
        client.carried_out()
    assert spent.log.getvalue().count("\n") <= 1
    spent.check()
