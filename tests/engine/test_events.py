"""Events: only after the commit, once to each slow subscriber, from all processes."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from typing import TYPE_CHECKING

import psycopg
import pytest

from penstock.errors import ConflictError
from penstock.runs.events import (
    CancelAsked,
    Event,
    Events,
    EventsLost,
    ProviderPaused,
    QueueChanged,
    RowsStored,
    RunChanged,
)
from penstock.runs.run import Submission
from penstock.runs.schedule import Schedule
from penstock.store.postgres.listen import read_message, stored_message
from penstock.store.write.budget import SqlBudget
from penstock.store.write.runs.submit import submit
from penstock.store.write.schedules import SqlSchedules
from tests.engine.engines import PATIENCE_S, Engine, engine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from sqlalchemy import Connection

    from penstock.runs.events import Subscription


_pauses = itertools.count(1_000, 1_000)


@contextlib.asynccontextmanager
async def hearing(e: Engine) -> AsyncIterator[Subscription]:
    """A subscription that has received all earlier events."""
    with e.database.events.subscribed() as subscription:
        await until_heard(e, subscription)
        yield subscription


async def until_heard(e: Engine, subscription: Subscription) -> list[Event]:
    """All events of earlier commits: a last event, which follows them, ends the wait."""
    heard: list[Event] = []
    # A pause is announced when it is longer than the previous one.
    await SqlBudget(e.database, "the last word").pause(next(_pauses))
    async with asyncio.timeout(PATIENCE_S):
        async for events in subscription:
            heard += events
            if ProviderPaused() in events:
                return [event for event in heard if event != ProviderPaused()]
    raise AssertionError


async def test_every_step_of_a_run_is_announced(database_url: str) -> None:
    async with engine(database_url) as e, hearing(e) as subscription:
        task_id = await e.submit("a")
        [row] = await e.rows("SELECT id FROM run")
        changed = RunChanged(row["id"])
        assert set(await until_heard(e, subscription)) == {changed, QueueChanged()}
        [run] = await e.take(1)
        assert changed in await until_heard(e, subscription)
        await e.ledger.cancel(task_id)
        assert {changed, CancelAsked(run.id)} <= set(await until_heard(e, subscription))
        await e.ledger.requeue(run, error=None, delay_s=0)
        assert {changed, QueueChanged()} <= set(await until_heard(e, subscription))


async def test_a_requeued_dead_run_is_announced(database_url: str) -> None:
    async with engine(database_url) as e:
        dead = await e.submit("a")
        await e.take(1)
        async with hearing(e) as subscription:
            await e.bury()
            run_id = (await e.run_row(dead))["id"]
            assert {RunChanged(run_id), QueueChanged()} <= set(await until_heard(e, subscription))


async def test_a_rolled_back_change_is_not_announced(database_url: str) -> None:
    async with engine(database_url) as e:
        await e.submit("c")

        def submit_and_fail(connection: Connection) -> None:
            submit(connection, e.dispatch, plan_of("free"))
            raise RuntimeError("after the work")

        async with hearing(e) as subscription:
            with pytest.raises(RuntimeError, match="after the work"):
                await e.database.write(submit_and_fail)
            with pytest.raises(ConflictError):
                await e.submit("a", "c")
            assert await until_heard(e, subscription) == []


def plan_of(*resources: str) -> Submission:
    return Submission(kind="nothing", params={}, resources=resources)


async def test_a_schedule_refused_halfway_announces_nothing(
    database_url: str,
) -> None:
    async with engine(database_url) as e:
        await e.submit("b")

        def both(_connection: Connection, _schedule: Schedule, _busy: object) -> Submission:
            return plan_of("a", "b")

        schedules = SqlSchedules(e.database, e.dispatch, both)
        await schedules.put([Schedule(name="one", kind="nothing", interval_s=300, params={})])
        async with hearing(e) as subscription:
            assert (await schedules.tick(50)).skipped == ["one"]
            assert await until_heard(e, subscription) == []


async def test_an_announced_change_can_be_read(database_url: str) -> None:
    """A subscriber can read an announced run: events never precede the commit."""
    async with engine(database_url) as e:
        found: list[bool] = []

        async def look() -> None:
            with e.database.events.subscribed() as subscription:
                async for events in subscription:
                    announced = [event.run_id for event in events if isinstance(event, RunChanged)]
                    found.extend(
                        [
                            bool(await e.rows("SELECT id FROM run WHERE id = :id", id=run_id))
                            for run_id in announced
                        ]
                    )
                    if len(found) >= 20:
                        return

        looking = asyncio.create_task(look())
        await asyncio.sleep(0)
        for _ in range(30):
            await e.submit()
        await asyncio.wait_for(looking, PATIENCE_S)
        assert all(found)


async def test_another_process_hears_of_changes_on_postgresql(postgres_database: str) -> None:
    async with (
        engine(postgres_database) as here,
        engine(postgres_database, migrated=False) as there,
        hearing(there) as subscription,
    ):
        await here.submit("a")
        [row] = await here.rows("SELECT id FROM run")
        heard: list[Event] = []
        async with asyncio.timeout(PATIENCE_S):
            async for events in subscription:
                heard += events
                if {RunChanged(row["id"]), QueueChanged()} <= set(heard):
                    break
        assert EventsLost() not in heard


async def test_after_a_lost_connection_subscribers_are_told_to_read_everything_again(
    postgres_database: str,
) -> None:
    async with engine(postgres_database) as e, hearing(e) as subscription:
        with psycopg.connect(postgres_database, autocommit=True) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND query LIKE 'LISTEN%'"
            )
        async with asyncio.timeout(PATIENCE_S):
            async for events in subscription:
                if EventsLost() in events:
                    break
        await e.submit("a")
        assert QueueChanged() in await until_heard(e, subscription)


async def test_a_slow_subscriber_gets_each_event_once_and_in_order() -> None:
    events = Events()
    with events.subscribed() as slow, events.subscribed() as other:
        for _ in range(1_000):
            events.publish(RunChanged(1), RunChanged(2), QueueChanged())
        events.publish(RowsStored("candle", 7))
        assert await anext(aiter(slow)) == [
            RunChanged(1),
            RunChanged(2),
            QueueChanged(),
            RowsStored("candle", 7),
        ]
        events.publish(RunChanged(1))
        assert await anext(aiter(slow)) == [RunChanged(1)], (
            "an event after the read is delivered again"
        )
        assert len(await anext(aiter(other))) == 4


async def test_a_subscriber_too_far_behind_is_told_to_read_everything_again() -> None:
    events = Events()
    with events.subscribed() as subscription:
        events.publish(*map(RunChanged, range(20_000)))
        events.publish(RunChanged(1))
        assert await anext(aiter(subscription)) == [EventsLost(), RunChanged(1)]


@pytest.mark.parametrize(
    ("message", "events"),
    [
        ("run 17", [RunChanged(17)]),
        ("queue", [QueueChanged()]),
        ("cancel 17", [CancelAsked(17)]),
        ("paused", [ProviderPaused()]),
        ("stored candle 3 4", [RowsStored("candle", 3), RowsStored("candle", 4)]),
        (stored_message("candle", []), []),
        (stored_message("candle", range(10_000)), [EventsLost()]),
        *(
            (message, [EventsLost()])
            for message in (
                "",
                "run",
                "run x",
                "run 1 2",
                "cancel",
                "cancel ²",
                "stored candle x",
                "stored",
                "candles 1",
                "hello",
                "lost",
            )
        ),
    ],
)
def test_a_message_is_read_or_counts_as_a_loss(message: str, events: Iterable[Event]) -> None:
    read: Callable[[str], Iterable[Event]] = read_message
    assert list(read(message)) == list(events)
