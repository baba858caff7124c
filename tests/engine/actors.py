"""What tests do in other processes: `python -m tests.engine.actors` forks one for each line of its input and says what they do, a line of JSON each.

Forked and not started anew: what takes a second otherwise takes some milliseconds. All of them end with the input of the first.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from penstock.app import open_app
from penstock.core.governor import Governor
from penstock.core.logs import log_to_stderr
from penstock.core.run import Submission
from penstock.errors import ConflictError, PenstockError
from penstock.settings import load_settings
from penstock.store.budget import SqlBudget
from penstock.store.database import Database, DatabaseOptions, parse_url
from penstock.store.runs import SqlRunLedger
from penstock.store.schedules import SqlSchedules

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from penstock.core.run import Run
    from penstock.core.runner import Outcome
    from penstock.core.schedule import Schedule

_POLL_S = 0.05
_PARENT_S = 0.2


def say(event: str, **facts: object) -> None:
    # One write: lines of several processes must not mix.
    os.write(1, (json.dumps({"pid": os.getpid(), "event": event} | facts) + "\n").encode())


async def work(settings: Mapping[str, Any]) -> None:
    """A worker over an exchange, until SIGTERM."""
    ending = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ending.set)
    async with open_app(load_settings(**settings)) as app:
        app.executor._options = replace(app.executor._options, poll_s=_POLL_S)
        app.executor._kinds = {kind: _telling(does) for kind, does in app.executor._kinds.items()}
        async with app.working():
            say("ready")
            await ending.wait()
    say("gone")


def _telling(does: Callable[[Run], Awaitable[Outcome]]) -> Callable[[Run], Awaitable[Outcome]]:
    async def telling(run: Run) -> Outcome:
        say("begun", task=str(run.task_id), fence=run.fence)
        try:
            return await does(run)
        except BaseException as error:
            say("stopped", task=str(run.task_id), error=type(error).__name__)
            raise

    return telling


async def submit(order: Mapping[str, Any]) -> None:
    """Submit the same thing several times at once, when the moment has come."""
    ledger = SqlRunLedger(_database(order), dead_after_s=30)
    say("ready")
    await asyncio.sleep(order["at"] - time.time())
    one = Submission(kind="nothing", params={}, resources=order["resources"], wait=order["wait"])
    outcomes = await asyncio.gather(*(ledger.submit(one) for _ in range(order["times"])), return_exceptions=True)
    refused = [outcome for outcome in outcomes if isinstance(outcome, ConflictError)]
    others = [repr(outcome) for outcome in outcomes if isinstance(outcome, BaseException) and outcome not in refused]
    say("submitted", runs=len(outcomes) - len(refused) - len(others), refused=len(refused), others=others)


async def tick(order: Mapping[str, Any]) -> None:
    """Tick as fast as it goes, so many times."""

    def plan(_connection: object, schedule: Schedule, _busy: object) -> Submission:
        return Submission(kind="nothing", params={}, resources=[schedule.name], wait=True)

    schedules = SqlSchedules(_database(order), plan, dead_after_s=30)
    say("ready")
    await asyncio.sleep(order["at"] - time.time())
    submitted = 0
    for _ in range(order["times"]):
        submitted += len((await schedules.tick(2)).submitted)
        await asyncio.sleep(order["pause_s"])
    say("ticked", submitted=submitted)


async def spend(order: Mapping[str, Any]) -> None:
    """Ask for weight without rest, by a clock that goes faster than the real one; says when it was given which weight."""
    speed: float = order["speed"]
    last = 0.0
    spent: list[Any] = []

    def clock() -> float:
        nonlocal last
        last = time.time() * speed
        return last

    budget = SqlBudget(_database(order), "an address", clock=clock)
    governor = Governor(order["limit"], budget, clock=clock, sleep=lambda seconds: asyncio.sleep(seconds / speed))
    say("ready")
    until = time.time() + order["for_s"]
    while time.time() < until:
        weight = 1 + len(spent) % 5
        if not await governor.admit(weight, longest_pause_s=1e9):
            spent.append((last, weight))
        await asyncio.sleep(0)
    say("spent", spent=spent)


def _database(order: Mapping[str, Any]) -> Database:
    return Database(parse_url(order["database_url"]), DatabaseOptions())


ROLES: dict[str, Callable[[Mapping[str, Any]], Awaitable[None]]] = {"work": work, "submit": submit, "tick": tick, "spend": spend}


async def _play(role: str, order: Mapping[str, Any]) -> None:
    parent = os.getppid()

    async def live_with_the_parent() -> None:
        while os.getppid() == parent:
            await asyncio.sleep(_PARENT_S)
        os._exit(1)

    watching = asyncio.create_task(live_with_the_parent())
    try:
        await ROLES[role](order)
    except PenstockError as error:
        say("failed", error=repr(error))
    watching.cancel()


def main() -> None:
    log_to_stderr("warning")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        order = json.loads(line)
        if not os.fork():
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            asyncio.run(_play(order.pop("role"), order))
            os._exit(0)


if __name__ == "__main__":
    main()
