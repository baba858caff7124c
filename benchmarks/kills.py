"""Kills: workers end by kill -9 in the middle of a run; how soon does another worker continue it?

Each victim works on one run, which writes a row per step through its fence. When all are dead, two
more workers finish their runs. Every step must be stored once, and none by a fenced-off worker. The
settings are the defaults. Only PostgreSQL is measured, because SQLite has one process.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from benchmarks.places import POSTGRESQL, driver_url
from benchmarks.report import worst_of
from benchmarks.sizes import FULL
from penstock.logs import log_to_stderr
from penstock.runs.executor import Executor, ExecutorOptions
from penstock.runs.run import Submission
from penstock.runs.runner import Runner, RunnerOptions
from penstock.store.connect import connect, parse_url
from penstock.store.write.runs.ledger import SqlRunLedger
from tests.dispatches import dispatch_over, ledger_over

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from sqlalchemy import Connection

    from benchmarks.places import Places
    from benchmarks.report import Figure
    from benchmarks.sizes import Sizes
    from penstock.runs.context import RunContext, Writing
    from penstock.store.session.database import Database

_KILLS = 20
_QUICK_KILLS = 3
_STEPS = 40
_STEP_S = 0.1
_TAKE_OVER_S = 45.0
_PATIENCE_S = 180.0
_LOOK_S = 0.1
_SEED = 20261130
_MARKS = """
CREATE TABLE mark (
    id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY, run_id bigint, fence integer, step integer
)"""


class _Steps:
    """The outcome of a run that has completed all its steps."""

    def summary(self) -> dict[str, object]:
        return {}


async def _steps(context: RunContext) -> _Steps:
    """Continue after the last stored step."""
    done = -1
    while done < _STEPS:
        done = await context.write(_step)
        await asyncio.sleep(_STEP_S)
    return _Steps()


def _step(writing: Writing) -> int:
    """The last stored step."""
    made = text("""
        INSERT INTO mark (run_id, fence, step)
        SELECT :run_id, :fence, count(*) + 1 FROM mark WHERE run_id = :run_id RETURNING step""")
    values = {"run_id": writing.run.id, "fence": writing.run.fence}
    return int(writing.connection.execute(made, values).scalar_one())


async def work(url: str, max_concurrent: int) -> None:
    """A worker process, until it is killed."""
    database = connect(parse_url(url))
    dispatch = dispatch_over(database)
    ledger = SqlRunLedger(database, dispatch)
    options = ExecutorOptions(max_concurrent=max_concurrent)
    executor = Executor(ledger, Runner(ledger, RunnerOptions()), {"steps": _steps}, options)
    await dispatch.run(executor)


def measure(places: Places, sizes: Sizes) -> Iterator[Figure]:
    """All figures of kills."""
    yield from asyncio.run(_kills(places, _KILLS if sizes is FULL else _QUICK_KILLS))


async def _kills(places: Places, count: int) -> list[Figure]:
    chance = random.Random(_SEED)
    async with places.migrated(POSTGRESQL) as database, contextlib.AsyncExitStack() as stack:
        await database.write(lambda connection: connection.exec_driver_sql(_MARKS))
        ledger = ledger_over(database)
        victims = [await stack.enter_async_context(_worker(database, 1)) for _ in range(count)]
        for number in range(count):
            await ledger.submit(Submission(kind="steps", params={}, resources=[f"r{number}"]))
        await _until(database, f"SELECT count(DISTINCT run_id) = {count} FROM mark")
        for victim in victims:
            await asyncio.sleep(chance.uniform(0, _STEP_S))
            victim.send_signal(signal.SIGKILL)
            await victim.wait()
        killed = time.monotonic()
        for _ in range(2):
            await stack.enter_async_context(_worker(database, count))
        delays = [await _taken_over(database, number + 1, killed) for number in range(count)]
        await _until(database, "SELECT NOT EXISTS (SELECT FROM run WHERE finished_at IS NULL)")
        wrong = await database.read(_wrong)
    name = f"{count} workers killed"
    return [
        worst_of(f"{name}, taken over after", POSTGRESQL, "s", delays, limit=_TAKE_OVER_S),
        worst_of(f"{name}, runs not whole", POSTGRESQL, "", [float(wrong[0])], limit=0.0),
        worst_of(f"{name}, stale commits", POSTGRESQL, "", [float(wrong[1])], limit=0.0),
    ]


@contextlib.asynccontextmanager
async def _worker(
    database: Database, max_concurrent: int
) -> AsyncIterator[asyncio.subprocess.Process]:
    arguments = ("-m", "benchmarks.kills", driver_url(database), str(max_concurrent))
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _until(database: Database, condition: str) -> None:
    async with asyncio.timeout(_PATIENCE_S):
        while not await database.read(lambda connection: connection.scalar(text(condition))):
            await asyncio.sleep(_LOOK_S)


async def _taken_over(database: Database, run_id: int, killed: float) -> float:
    """Seconds until each run was started again; a run that had ended must not be."""
    begun = f"SELECT fence > 1 OR finished_at IS NOT NULL FROM run WHERE id = {run_id}"
    await _until(database, begun)
    return time.monotonic() - killed


def _wrong(connection: Connection) -> Sequence[Any]:
    """The number of runs without every step once, and of steps written under an old fence."""
    found = text(f"""
        SELECT (
            SELECT count(*) FROM run WHERE state <> 'succeeded' OR ARRAY(
                SELECT step FROM mark WHERE run_id = run.id ORDER BY mark.id
            ) <> ARRAY(SELECT generate_series(1, {_STEPS}))
        ), (
            SELECT count(*) FROM mark AS late JOIN mark AS new USING (run_id)
            WHERE late.id > new.id AND late.fence < new.fence
        )""")
    return connection.execute(found).one()


if __name__ == "__main__":
    log_to_stderr("warning")
    asyncio.run(work(sys.argv[1], int(sys.argv[2])))
