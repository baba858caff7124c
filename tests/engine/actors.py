"""Other processes of tests: `python -m tests.engine.actors` forks one per line of its input.

Each reports its steps as lines of JSON. A fork takes some milliseconds, a start a second. All
end when the input of the first one ends.
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
from penstock.errors import ConflictError, PenstockError
from penstock.foreground import foreground as in_foreground
from penstock.http.governor import Governor
from penstock.logs import log_to_stderr
from penstock.runs.events import ProviderPaused
from penstock.runs.run import Submission
from penstock.settings import load_settings
from penstock.store.connect import connect, parse_url
from penstock.store.session.database import Database, DatabaseOptions
from penstock.store.write.budget import SqlBudget
from penstock.store.write.schedules import SqlSchedules
from tests.dispatches import dispatch_over, ledger_over
from tests.engine.shared_clock import SharedClock
from tests.engine.shared_clock import spend as spend_by

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from penstock.app import App
    from penstock.runs.context import RunContext
    from penstock.runs.runner import Outcome
    from penstock.runs.schedule import Schedule

_POLL_S = 0.05
_PARENT_S = 0.2
_REST_S = 0.005


def say(event: str, **facts: object) -> None:
    # One write: lines of several processes must not mix.
    os.write(1, (json.dumps({"pid": os.getpid(), "event": event} | facts) + "\n").encode())


async def work(settings: Mapping[str, Any]) -> None:
    """A worker over an exchange, until SIGTERM."""
    ending = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ending.set)
    async with open_app(load_settings(**settings)) as app:
        app.executor.options = replace(app.executor.options, poll_s=_POLL_S)
        app.executor._kinds = {kind: _telling(does) for kind, does in app.executor._kinds.items()}
        async with app.working():
            hearing = asyncio.create_task(_hear_of_pauses(app))
            await asyncio.sleep(0)
            say("ready")
            await ending.wait()
            hearing.cancel()
    say("gone")


async def _hear_of_pauses(app: App) -> None:
    """Report a pause once this process has handled it, since its own subscription is older."""
    with app.database.events.subscribed() as subscription:
        async for events in subscription:
            if ProviderPaused() in events:
                await asyncio.sleep(0)
                say("paused")


def _telling(
    does: Callable[[RunContext], Awaitable[Outcome]],
) -> Callable[[RunContext], Awaitable[Outcome]]:
    async def telling(context: RunContext) -> Outcome:
        run = context.run
        say("begun", task=str(run.task_id), fence=run.fence)
        try:
            return await does(context)
        except BaseException as error:
            say("stopped", task=str(run.task_id), error=type(error).__name__)
            raise

    return telling


async def foreground(order: Mapping[str, Any]) -> None:
    """Work on a foreground run that never ends."""

    async def endless(_context: RunContext) -> Outcome:
        await asyncio.Event().wait()
        raise AssertionError

    async with open_app(load_settings(**order["settings"])) as app, in_foreground(app) as here:
        here._executor._kinds = {"nothing": _telling(endless)}
        submission = Submission(kind="nothing", params={}, resources=["mine"])
        say("ready")
        await here.outcome(await here.submit(submission))


async def submit(order: Mapping[str, Any]) -> None:
    """Submit the same run several times at once, at the given moment."""
    ledger = ledger_over(_database(order))
    say("ready")
    await asyncio.sleep(order["at"] - time.time())
    submission = Submission(
        kind="nothing", params={}, resources=order["resources"], wait=order["wait"]
    )
    outcomes = await asyncio.gather(
        *(ledger.submit(submission) for _ in range(order["times"])), return_exceptions=True
    )
    refused = [outcome for outcome in outcomes if isinstance(outcome, ConflictError)]
    others = [
        repr(outcome)
        for outcome in outcomes
        if isinstance(outcome, BaseException) and outcome not in refused
    ]
    say(
        "submitted",
        runs=len(outcomes) - len(refused) - len(others),
        refused=len(refused),
        others=others,
    )


async def tick(order: Mapping[str, Any]) -> None:
    """Tick until no schedule is left, with pauses so short that the processes collide."""

    def plan(_connection: object, schedule: Schedule, _busy: object) -> Submission:
        return Submission(kind="nothing", params={}, resources=[schedule.name], wait=True)

    database = _database(order)
    schedules = SqlSchedules(database, dispatch_over(database), plan)
    say("ready")
    submitted = ticks = 0
    while True:
        ticked = await schedules.tick(2)
        if ticked.next_in_s is None:
            break
        submitted += len(ticked.submitted)
        ticks += 1
        # Four processes without pauses can starve all others on two cores for half a minute.
        await asyncio.sleep(_REST_S)
    say("ticked", submitted=submitted, ticks=ticks)


async def spend(order: Mapping[str, Any]) -> None:
    """Request weight by a shared clock; report when which weight was granted."""
    clock = SharedClock(order["clock"], order["place"])
    governor = Governor(
        order["limit"],
        SqlBudget(_database(order), "an address", clock=clock),
        clock=clock,
        sleep=clock.sleep,
    )
    say("ready")
    say(
        "spent",
        spent=await spend_by(clock, governor, minutes=order["minutes"], seed=str(order["place"])),
    )


def _database(order: Mapping[str, Any]) -> Database:
    return connect(parse_url(order["database_url"]), DatabaseOptions())


ROLES: dict[str, Callable[[Mapping[str, Any]], Awaitable[None]]] = {
    "work": work,
    "foreground": foreground,
    "submit": submit,
    "tick": tick,
    "spend": spend,
}


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
