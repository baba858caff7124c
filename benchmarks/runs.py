"""Runs: time to start, throughput, time to cancel, and the delay of a thousand schedules."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from typing import TYPE_CHECKING, Any

import structlog
from sqlalchemy import select

from benchmarks.cycle import TIMEFRAMES, listed, settings_for
from benchmarks.exchange import exchange
from benchmarks.places import KINDS
from benchmarks.report import Figure, median_of, percentile, worst_of
from benchmarks.sizes import FULL
from penstock.app import open_app
from penstock.domains.market import MarketParts
from penstock.market.runs.orders import CollectOrder
from penstock.runs.executor import Executor, ExecutorOptions
from penstock.runs.run import Submission
from penstock.runs.runner import Runner, RunnerOptions
from penstock.runs.schedule import Schedule
from penstock.runs.scheduler import Scheduler
from penstock.runs.tables import run as run_table
from penstock.runs.tables import schedule as schedule_table
from penstock.store.write.runs.ledger import SqlRunLedger
from penstock.store.write.schedules import SqlSchedules
from tests.dispatches import dispatch_over, ledger_over

if TYPE_CHECKING:
    import uuid
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

    from sqlalchemy import Connection

    from benchmarks.exchange import Exchange
    from benchmarks.places import Places
    from benchmarks.sizes import Sizes
    from penstock.app import App
    from penstock.runs.context import RunContext
    from penstock.store.session.database import Database

_CANDLES = 100
_LATENCY_MS = 50
_STARTS = 100
_RUNS = 1_000
_CANCELS = 10
_SCHEDULES = 1_000
_QUICK_SHARE = 10
_ENDED = ("succeeded", "failed", "cancelled")
_PATIENCE_S = 120.0

_START_MS = 50.0
_THROUGH_S = 10.0
_CANCEL_S = 1.0
_DELAY_S = 5.0
_THREADS = 64


class _Nothing:
    """The outcome of a run that does nothing."""

    def summary(self) -> dict[str, object]:
        return {}


class _Noops:
    """Runs that do nothing; remembers when each began."""

    def __init__(self) -> None:
        self.begun: dict[uuid.UUID, float] = {}

    async def __call__(self, context: RunContext) -> _Nothing:
        self.begun[context.run.task_id] = time.perf_counter()
        return _Nothing()


def measure(places: Places, sizes: Sizes) -> Iterator[Figure]:
    """All figures of runs, on both databases in turn."""
    # Thousands of log lines would be measured too; a service writes them to a pipe.
    with _quiet():
        for kind in KINDS:
            yield asyncio.run(_starts(places, kind, _scaled(_STARTS, sizes)))
            yield asyncio.run(_through(places, kind, _scaled(_RUNS, sizes)))
            yield from asyncio.run(_schedules(places, kind, _scaled(_SCHEDULES, sizes)))
            with exchange() as simulator:
                yield asyncio.run(_cancels(places, kind, simulator, _scaled(_CANCELS, sizes)))


def _scaled(count: int, sizes: Sizes) -> int:
    return count if sizes is FULL else max(3, count // _QUICK_SHARE)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    before = structlog.get_config()
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(30), cache_logger_on_first_use=False
    )
    try:
        yield
    finally:
        structlog.configure(**before)


@contextlib.asynccontextmanager
async def _working(
    database: Database, work: Callable[[RunContext], Any]
) -> AsyncIterator[SqlRunLedger]:
    """A worker with the default settings; `work` gets every run."""
    dispatch = dispatch_over(database)
    ledger = SqlRunLedger(database, dispatch)
    executor = Executor(ledger, Runner(ledger, RunnerOptions()), {"noop": work}, ExecutorOptions())
    async with database.listening():
        task = asyncio.create_task(dispatch.run(executor))
        try:
            yield ledger
        finally:
            task.cancel()
            await asyncio.wait([task])


async def _until_ended(database: Database, count: int) -> None:
    """Check a few times a second, so that checking costs the worker little."""
    ended = select(run_table.c.id).where(run_table.c.state.in_(_ENDED))
    async with asyncio.timeout(_PATIENCE_S):
        while len(await database.read(lambda connection: connection.execute(ended).all())) < count:
            await asyncio.sleep(0.1)


async def _starts(places: Places, kind: str, count: int) -> Figure:
    work, samples = _Noops(), []
    async with places.migrated(kind) as database, _working(database, work) as ledger:
        for number in range(count):
            submitted = time.perf_counter()
            task_id = await ledger.submit(
                Submission(kind="noop", params={}, resources=[f"r{number}"])
            )
            await _until_ended_soon(database, work, task_id)
            samples.append(1000 * (work.begun[task_id] - submitted))
    return median_of(
        "submit → running",
        kind,
        "ms",
        samples,
        limit=_START_MS,
        note="one at a time, the worker idle",
    )


async def _until_ended_soon(database: Database, work: _Noops, task_id: uuid.UUID) -> None:
    with database.events.subscribed() as subscription:
        if task_id not in work.begun:
            async for _ in subscription:
                if task_id in work.begun:
                    break
    # Wait until its end is written, so that the next run finds an idle worker.
    await asyncio.sleep(0.02)


async def _through(places: Places, kind: str, count: int) -> Figure:
    async with places.migrated(kind) as database:
        ledger = ledger_over(database)
        for number in range(count):
            await ledger.submit(Submission(kind="noop", params={}, resources=[f"r{number}"]))
        started = time.perf_counter()
        async with _working(database, _Noops()):
            await _until_ended(database, count)
            seconds = time.perf_counter() - started
    limit = _THROUGH_S * count / _RUNS
    return worst_of(
        f"{count:,} runs that do nothing",
        kind,
        "s",
        [seconds],
        limit=limit,
        note=f"{count / seconds:.0f} a second",
    )


async def _schedules(places: Places, kind: str, count: int) -> list[Figure]:
    def plan(_connection: Connection, schedule: Schedule, _busy: object) -> Submission:
        return Submission(kind="noop", params={}, resources=[schedule.name])

    async with places.migrated(kind) as database, _working(database, _Noops()):
        schedules = SqlSchedules(database, dispatch_over(database), plan)
        await schedules.put(
            [
                Schedule(name=f"s{number}", kind="noop", interval_s=3_600, params={})
                for number in range(count)
            ]
        )
        await database.write(
            lambda connection: connection.execute(
                schedule_table.update().values(next_run_at=int(time.time() * 1000) + 1_000)
            )
        )
        ticking = asyncio.create_task(
            Scheduler(schedules, check_interval_s=60, first_after_s=0).run()
        )
        await _until_ended(database, count)
        threads = float(threading.active_count())
        ticking.cancel()
        rows = await database.read(
            lambda connection: connection.execute(select(schedule_table)).all()
        )
    delays = [(row.last_submitted_at - row.last_due_at) / 1000 for row in rows]
    name = f"{count:,} schedules due at once"
    return [
        Figure(
            name=f"{name}, start delay p99",
            database=kind,
            unit="s",
            samples=delays,
            value=percentile(delays, 99),
            limit=_DELAY_S,
        ),
        worst_of(f"{name}, threads", kind, "", [threads], limit=_THREADS),
    ]


async def _order(app: App, symbols: int) -> CollectOrder:
    return CollectOrder(symbols=await listed(app, symbols), timeframes=TIMEFRAMES, limit=_CANDLES)


async def _state(app: App, task_id: uuid.UUID) -> str:
    query = select(run_table.c.state).where(run_table.c.task_id == str(task_id))
    return str(await app.database.read(lambda connection: connection.execute(query).scalar_one()))


async def _until_state(app: App, task_id: uuid.UUID, states: Sequence[str]) -> None:
    with app.database.events.subscribed() as subscription:
        if await _state(app, task_id) in states:
            return
        async for _ in subscription:
            if await _state(app, task_id) in states:
                return


async def _cancels(places: Places, kind: str, simulator: Exchange, count: int) -> Figure:
    simulator.delay(_LATENCY_MS)
    samples = []
    with places.fresh(kind) as url:
        async with open_app(settings_for(url, simulator.url)) as app, app.working():
            for _ in range(count):
                task_id = await app.ledger.submit(
                    await app.of(MarketParts).runs.submission(await _order(app, 20))
                )
                await _until_state(app, task_id, ["running"])
                await asyncio.sleep(0.3)
                asked = time.perf_counter()
                await app.ledger.cancel(task_id)
                await _until_state(app, task_id, _ENDED)
                samples.append(time.perf_counter() - asked)
                if await _state(app, task_id) != "cancelled":
                    message = "the run ended before it could be cancelled"
                    raise RuntimeError(message)
                await asyncio.to_thread(simulator.move_on, 3_600_000)
    return worst_of("cancel of a running collection", kind, "s", samples, limit=_CANCEL_S)
