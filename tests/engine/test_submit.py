"""Submission: claims, waiting runs, and the order in which waiting runs start."""

from __future__ import annotations

import asyncio
import random
import uuid
from typing import TYPE_CHECKING, cast

import pytest

from penstock.errors import ConflictError, InvalidInputError, NotFoundError
from penstock.runs.run import Priority, RunEnd, RunState
from tests.engine.engines import Held, engine

if TYPE_CHECKING:
    from penstock.runs.context import RunContext
    from penstock.runs.runner import Outcome
    from tests.conftest import Say

A, B, C, D = (f"series:binance:{name}USDT:1m" for name in ("BTC", "ETH", "LTC", "XRP"))


async def test_claims_are_all_or_nothing(database_url: str) -> None:
    async with engine(database_url) as e:
        first = await e.submit(A, B)
        with pytest.raises(ConflictError, match=f"Data collection already running: task {first}"):
            await e.submit(B, C)
        assert set(await e.claims()) == {A, B}
        assert await e.states() == {"queued": 1}, "a refused submission leaves no run"


async def test_partly_overlapping_submissions_conflict_and_disjoint_ones_run_side_by_side(
    database_url: str,
) -> None:
    held = Held()
    async with engine(database_url) as e, e.working({"held": held}):
        await e.submit(A, B, kind="held")
        await e.submit(C, D, kind="held")
        await held.until_begun(2)
        for overlapping in ((B, C), (A,), (D, "series:other"), (A, B, C, D)):
            with pytest.raises(ConflictError):
                await e.submit(*overlapping)
        assert held.active == 2


async def test_a_resource_named_twice_is_no_conflict_with_itself(database_url: str) -> None:
    async with engine(database_url) as e:
        await e.submit(A, A, B)
        assert set(await e.claims()) == {A, B}


@pytest.mark.parametrize(
    "ending", ["succeeds", "fails", "is cancelled", "dies", "is cancelled before it starts"]
)
async def test_a_waiting_run_starts_when_its_holder_has_ended(
    database_url: str, ending: str
) -> None:
    held = Held()

    async def work(context: RunContext) -> Outcome:
        done = await held(context)
        if ending == "fails":
            raise ValueError("nobody expected this")
        return done

    async with engine(database_url, dead_after_s=1.0) as e:
        first = await e.submit(A, B, kind="first")
        second = await e.submit(B, C, wait=True)
        assert (await e.run_row(second))["waiting"]
        assert set(await e.claims()) == {A, B}, "a waiting run holds no claim"
        if ending == "is cancelled before it starts":
            await e.ledger.cancel(first)
        elif ending == "dies":
            [lost] = await e.take(1)
            assert lost.task_id == first
            await e.bury()
            held.let_go.set()
        async with e.working({"first": work}):
            if not ending.startswith(("dies", "is cancelled before")):
                await held.until_begun()
                assert (await e.run_row(second))["state"] == "queued"
                if ending == "is cancelled":
                    await e.ledger.cancel(first)
                else:
                    held.let_go.set()
            row = await e.until_state(second, "succeeded")
            assert not row["waiting"]
            expected = {"succeeds": "succeeded", "dies": "succeeded", "fails": "failed"}.get(
                ending, "cancelled"
            )
            assert (await e.run_row(first))["state"] == expected
        assert await e.claims() == {}


async def test_runs_that_wait_for_one_series_start_one_after_the_other(database_url: str) -> None:
    at_once = most = 0

    async def work(_run: object) -> Held:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0)
        at_once -= 1
        return Held()

    async def done(run: object) -> object:
        await work(run)
        return _Done()

    async with engine(database_url) as e, e.working({"done": done}):  # type: ignore[dict-item]
        for _ in range(8):
            await e.submit(A, kind="done", wait=True)
        await e.until_all_ended()
        assert await e.states() == {"succeeded": 8}
        assert most == 1


class _Done:
    def summary(self) -> dict[str, object]:
        return {}


async def test_many_runs_waiting_for_one_series_do_not_block_other_runs(
    database_url: str,
) -> None:
    held = Held()
    async with engine(database_url) as e, e.working({"held": held}):
        await e.submit(A, kind="held")
        await held.until_begun()
        for _ in range(70):
            await e.submit(A, wait=True)
        other = await e.submit(B, priority=Priority.LOW)
        waiting_for_another = await e.submit(B, wait=True, priority=Priority.LOW)
        await e.until_state(other, "succeeded")
        await e.until_state(waiting_for_another, "succeeded")
        assert held.active == 1
        assert (await e.states())["queued"] == 70


async def test_a_later_submission_does_not_overtake_a_run_whose_turn_has_come(
    database_url: str,
) -> None:
    async with engine(database_url) as e:
        first = await e.submit(A)
        waiting = await e.submit(A, B, wait=True)
        await e.ledger.cancel(first)
        with pytest.raises(ConflictError, match=f"task {waiting}"):
            await e.submit(B)
        behind = await e.submit(B, wait=True, priority=Priority.HIGH)
        assert [run.task_id for run in await e.take(5)] == [waiting]
        assert (await e.run_row(behind))["state"] == "queued"


async def test_a_free_series_is_not_reserved_for_a_run_that_waits_for_another_series(
    database_url: str,
) -> None:
    async with engine(database_url) as e:
        await e.submit(A)
        await e.submit(A, B, wait=True)
        await e.submit(B)


async def test_the_highest_priority_starts_first_and_among_equals_the_oldest(
    database_url: str,
) -> None:
    seed = 20
    chosen = random.Random(seed)
    choices = [
        (chosen.choice([Priority.HIGH, Priority.MEDIUM, Priority.LOW]), chosen.random() < 0.3)
        for _ in range(60)
    ]
    async with engine(database_url) as e:
        submitted = [
            (priority, place, await e.submit(f"r{place}", priority=priority, wait=wait))
            for place, (priority, wait) in enumerate(choices)
        ]
        taken = [run.task_id for _ in range(20) for run in await e.take(3)]
        assert taken == [task_id for _, _, task_id in sorted(submitted)], f"n=60 seed={seed}"


async def test_no_more_than_max_concurrent_runs_are_worked_on_at_once(database_url: str) -> None:
    held = Held()
    async with engine(database_url) as e, e.working({"held": held}, max_concurrent=3):
        for number in range(9):
            await e.submit(f"r{number}", kind="held")
        await held.until_begun(3)
        assert await e.take(0) == []
        assert await e.states() == {"running": 3, "queued": 6}
        held.let_go.set()
        await e.until_all_ended()
        assert held.most == 3


async def test_the_same_task_id_gives_the_same_run_also_after_its_end(database_url: str) -> None:
    task_id = uuid.uuid4()
    async with engine(database_url) as e:
        assert await e.submit(A, task_id=task_id) == task_id
        assert await e.submit(A, task_id=task_id) == task_id
        async with e.working():
            await e.until_state(task_id, "succeeded")
        assert await e.submit(A, task_id=task_id) == task_id
        assert await e.states() == {"succeeded": 1}


async def test_the_same_idempotency_key_gives_the_same_run_and_refuses_a_different_request(
    database_url: str,
) -> None:
    async with engine(database_url) as e:
        first = await e.submit(A, params={"limit": 5}, idempotency_key="k1")
        assert await e.submit(A, params={"limit": 5}, idempotency_key="k1") == first
        with pytest.raises(InvalidInputError, match="Idempotency-Key"):
            await e.submit(A, params={"limit": 6}, idempotency_key="k1")
        assert await e.states() == {"queued": 1}


async def test_simultaneous_submissions_under_one_key_are_one_run(database_url: str) -> None:
    async with engine(database_url) as e:
        found = await asyncio.gather(*(e.submit(A, idempotency_key="k") for _ in range(10)))
        assert len(set(found)) == 1
        assert await e.states() == {"queued": 1}


async def test_a_dead_run_keeps_its_claims_until_its_next_start_has_ended(
    database_url: str,
) -> None:
    async with engine(database_url) as e:
        dead = await e.submit(A, B)
        await e.take(1)
        with pytest.raises(ConflictError):
            await e.submit(A)
        await e.bury()
        with pytest.raises(ConflictError, match=f"task {dead} holds .*, and is queued"):
            await e.submit(A)
        [again] = await e.take(5)
        assert (again.task_id, again.fence) == (dead, 2)
        await e.ledger.finish(again, RunEnd(state=RunState.SUCCEEDED))
        living = await e.submit(A)
        assert [run.task_id for run in await e.take(5)] == [living]


async def test_cancelling_an_unknown_run_and_an_ended_one_is_refused(database_url: str) -> None:
    async with engine(database_url) as e:
        with pytest.raises(NotFoundError):
            await e.ledger.cancel(uuid.uuid4())
        task_id = await e.submit()
        assert await e.ledger.cancel(task_id) == "queued"
        with pytest.raises(ConflictError, match="has already ended: cancelled"):
            await e.ledger.cancel(task_id)


async def test_random_submissions_never_share_a_series_and_all_end(
    database_url: str, say: Say
) -> None:
    seed, n = 7, 60
    chosen = random.Random(seed)
    in_use: set[str] = set()
    overlaps: list[str] = []

    async def work(context: RunContext) -> _Done:
        mine = set(cast("list[str]", context.run.params["resources"]))
        overlaps.extend(in_use & mine)
        in_use.update(mine)
        await asyncio.sleep(0.002)
        in_use.difference_update(mine)
        return _Done()

    refused = 0
    async with engine(database_url) as e, e.working({"work": work}):
        for _ in range(n):
            resources = chosen.sample("abcdefgh", chosen.randint(1, 4))
            try:
                await e.submit(
                    *resources,
                    kind="work",
                    params={"resources": resources},
                    wait=chosen.random() < 0.6,
                )
            except ConflictError:
                refused += 1
        await e.until_all_ended()
        assert await e.states() == {"succeeded": n - refused}
        assert await e.claims() == {}
    assert not overlaps
    say(f"n={n} seed={seed} refused={refused}")
