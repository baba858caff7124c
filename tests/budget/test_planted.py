"""The budget finds faults that were there before: each is planted into the real code."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

import pytest

from penstock.api.live import hub
from penstock.api.live.feeds import channels
from penstock.api.live.hub import Hub
from penstock.http import client
from tests.budget.spending import OverBudgetError
from tests.budget.test_provider import answer_sources
from tests.budget.test_sockets import send_unknown_names, subscribe_without_reading

if TYPE_CHECKING:
    from penstock.api.live.client import Subscriber
    from penstock.api.live.feeds.channels import Channel
    from tests.budget.provider import Provider
    from tests.budget.spending import Spending


def test_a_search_for_the_nearest_names_on_the_loop_is_found(
    spent: Spending, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = [f"COIN{number}/USDT" for number in range(15)]
    checked = channels.MarketDataChannel.checked

    def nearest(channel: channels.MarketDataChannel) -> Channel:
        difflib.get_close_matches(channel.symbol, listed)
        return checked(channel)

    monkeypatch.setattr(channels.MarketDataChannel, "checked", nearest)
    with pytest.raises(OverBudgetError, match="steps"):
        send_unknown_names(spent)


def test_an_unbounded_queue_is_found(spent: Spending, monkeypatch: pytest.MonkeyPatch) -> None:
    def order(self: Hub, subscriber: Subscriber, message: channels.ClientMessage) -> None:
        self._add(hub.Order(subscriber, message.subscribe, message.unsubscribe))

    monkeypatch.setattr(Hub, "order", order)
    with pytest.raises(OverBudgetError, match="bytes kept"):
        subscribe_without_reading(spent)


def test_a_believed_wait_is_found(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        client,
        "_retry_after_s",
        lambda header, default_s: float(header) if header.isdecimal() else default_s,
    )
    with pytest.raises(OverBudgetError, match="a pause of"):
        answer_sources(provider, 300, 1)
