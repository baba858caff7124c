"""Messages of alerts and the targets that get them, on both databases."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from penstock.errors import ConflictError
from penstock.store.write.alerts.lists import firing_counts
from tests.receiver import Receiver, receiving
from tests.store.alarm import HEALTH, POLICY, VAULT, Alarm

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


async def test_an_alert_is_sent_once_within_the_cool_down_and_once_when_resolved(
    alarm: Alarm, receiver: Receiver
) -> None:
    await alarm.add_target(receiver.url + "/hook")
    async with alarm.sending():
        await alarm.executions("failed", 2)
        await alarm.executions("success", 3)
        await alarm.evaluate(times=3)
        (fired,) = await receiver.until(1)
        assert fired.messages == [
            "firing: 60.0 % succeeded of 5 executions in 24 hours (threshold 90)",
            "firing: 40.0 % failed of 5 executions in 24 hours (threshold 10)",
        ]
        assert fired.headers["Penstock-Signature"]
        await alarm.executions("success", 95)
        await alarm.evaluate(times=2)
        _, over = await receiver.until(2)
        assert [message.partition(":")[0] for message in over.messages] == ["resolved", "resolved"]
    assert len(await alarm.messages()) == len(receiver.received) == 2


async def test_a_failed_message_is_sent_again_with_the_same_id(
    alarm: Alarm, receiver: Receiver
) -> None:
    await alarm.add_target(receiver.url)
    receiver.answers += [500, 503]
    await alarm.executions("failed", 5)
    await alarm.evaluate()
    async with alarm.sending():
        received = await receiver.until(3)
    assert (
        len({request.body["id"] for request in received})
        == len({request.headers["Penstock-Message-Id"] for request in received})
        == 1
    )


async def test_a_message_to_a_failing_target_is_dropped_after_the_last_attempt(
    alarm: Alarm, receiver: Receiver
) -> None:
    await alarm.add_target(receiver.url)
    receiver.answers += [500] * 100
    await alarm.executions("failed", 5)
    await alarm.evaluate()
    async with alarm.sending():
        await receiver.until(8)
        await alarm.engine.until(lambda: _is_error(alarm, "it answered 500"))
    assert await alarm.book.take() == []
    assert len(receiver.received) == 8


async def _is_error(alarm: Alarm, error: str) -> bool:
    [row] = await alarm.messages()
    return bool(row["attempt"] == 8 and row["error"] == error)


async def test_a_hanging_target_delays_no_other_and_gets_its_messages_in_order(
    alarm: Alarm, receiver: Receiver
) -> None:
    await alarm.add_target(receiver.url + "/hang", "slow")
    await alarm.add_target(receiver.url + "/good", "good")
    async with alarm.sending():
        await alarm.executions("failed", 5)
        await alarm.evaluate()
        await receiver.until(1, "/hang")
        await alarm.executions("success", 500)
        await alarm.evaluate(times=2)
        await receiver.until(2, "/good")
        assert len(await receiver.until(1, "/hang")) == 1


async def test_a_message_whose_sender_was_killed_is_sent_by_the_next_one(
    alarm: Alarm, receiver: Receiver
) -> None:
    await alarm.add_target(receiver.url)
    await alarm.executions("failed", 5)
    await alarm.evaluate()
    killed = alarm.new_book(claim_s=3600)
    assert len(await killed.take()) == 1
    assert await killed.take() == []
    await alarm.engine.move("alert_message", "next_try_at", -3600)
    async with alarm.sending():
        assert len(await receiver.until(1)) == 1


async def test_of_many_concurrent_checks_one_writes_a_message_and_one_sender_takes_it(
    alarm: Alarm,
) -> None:
    await alarm.add_target("https://example.org")
    await alarm.executions("failed", 5)
    # Without a cool-down every evaluation would write a message.
    alarm.policy = replace(POLICY, cooldown_ms=0)
    books = [alarm.new_book(interval_s=3600.0) for _ in range(8)]
    await asyncio.gather(*(book.evaluate() for book in books))
    assert len(await alarm.messages()) == 1
    taken = await asyncio.gather(*(book.take() for book in books))
    assert sum(map(len, taken)) == 1


async def test_a_clock_set_back_does_not_silence_alerts(alarm: Alarm) -> None:
    await alarm.evaluate()
    await alarm.engine.move("alert_look", "looked_at", 86_400)
    await alarm.executions("failed", 5)
    await alarm.book.evaluate()
    counts = await alarm.engine.database.read(
        lambda connection: firing_counts(connection, HEALTH.rules.names)
    )
    assert counts["failed_rate"] == 1


async def test_secrets_are_sealed_and_a_target_is_deleted_with_its_messages(alarm: Alarm) -> None:
    target_id = await alarm.add_target("https://example.org/token")
    [row] = await alarm.engine.rows("SELECT url, signing_key FROM alert_target")
    assert (VAULT.open(row["url"]), VAULT.open(row["signing_key"])) == (
        "https://example.org/token",
        "a key of some length",
    )
    assert (await alarm.targets.secrets_of(target_id)).url == "https://example.org/token"
    await alarm.executions("failed", 5)
    await alarm.evaluate()
    await alarm.targets.remove(target_id)
    assert await alarm.messages() == []


async def test_of_many_targets_given_the_same_name_at_once_one_gets_it(alarm: Alarm) -> None:
    ids = [
        await alarm.add_target(f"https://example.org/{number}", name=f"target {number}")
        for number in range(4)
    ]
    for name in ("one", "two", "three"):
        answers = await asyncio.gather(
            *(alarm.targets.change(target_id, name=name) for target_id in ids),
            return_exceptions=True,
        )
        assert sum(isinstance(answer, ConflictError) for answer in answers) == len(ids) - 1, answers


async def test_old_alerts_and_messages_are_deleted(alarm: Alarm) -> None:
    await alarm.add_target("https://example.org")
    await alarm.executions("failed", 5)
    await alarm.evaluate()
    await alarm.executions("success", 500)
    await alarm.evaluate(times=2)
    await alarm.engine.move("alert", "since", -8 * 86_400)
    await alarm.engine.move("alert_message", "created_at", -8 * 86_400)
    await alarm.evaluate()
    assert (await alarm.alerts(), await alarm.messages()) == ([], [])
