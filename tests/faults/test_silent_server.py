"""Databases that fall silent without closing connections: transactions end by their deadlines.

The clock of the deadlines stands still until a test moves it. Only a connection being opened ends
by its own clock, that of libpq.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event

from penstock.errors import StoreUnavailableError
from penstock.store.session import database as database_module
from tests.engine.engines import engine
from tests.market_builders import MINUTE, ORIGIN, candles, opened, page
from tests.statements import statements_sent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from sqlalchemy import Connection, Engine

    from tests.faults.black_hole import BlackHole

_TIMEOUT_S = 2.0
_DEADLINE_S = 1.5 * _TIMEOUT_S
# The time-out of libpq, which accepts no smaller one.
_CONNECT_S = 2
# Only an endless wait reaches this.
_PATIENCE_S = 60.0
_LOOK_S = 0.02


class Clock:
    """The time of the loop and of the deadlines of a database."""

    now = 1_000.0

    def advance(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
async def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock that stands still until it is advanced."""
    stopped = Clock()
    monkeypatch.setattr(database_module, "time", SimpleNamespace(monotonic=lambda: stopped.now))
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: stopped.now)
    return stopped


async def until(condition: Callable[[float], bool]) -> None:
    """Wait in a thread: no time-out of the loop would ever be over."""
    assert await asyncio.to_thread(condition, _PATIENCE_S)


async def until_done(*tasks: asyncio.Future[Any], clock: Clock | None = None) -> None:
    """Wait in real time until these have ended; a given clock advances meanwhile."""
    done = threading.Event()
    asyncio.gather(*tasks, return_exceptions=True).add_done_callback(lambda _: done.set())
    if clock is None:
        await until(done.wait)
        return
    looks = int(_PATIENCE_S / _LOOK_S)
    while looks and not await asyncio.to_thread(done.wait, _LOOK_S):
        looks -= 1
        clock.advance(1.0)
    assert looks


async def turns() -> None:
    """Let the loop do everything that is ready."""
    for _ in range(5):
        await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def cut_in_the_end(black_hole: BlackHole) -> AsyncIterator[None]:
    """Cut connections, so that a thread that still waits cannot keep a failed test from ending."""
    try:
        yield
    finally:
        black_hole.close()


MOMENTS = {
    "while a connection is idle": None,
    "while it is opened": None,
    "while it is set up": "CREATE TEMPORARY TABLE",
    "at the beginning": "BEGIN",
    "at the rows": "COPY candle_stage",
    "at the merge": "INSERT INTO candle",
    "at the commit": "COMMIT",
}
_NEW = {"while it is opened", "while it is set up"}


@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_silent_server_gives_an_error_in_time_and_works_again_when_it_answers(
    database_behind: str, black_hole: BlackHole, clock: Clock, moment: str
) -> None:
    async with opened(database_behind, timeout_s=_TIMEOUT_S) as store, cut_in_the_end(black_hole):
        target, run = await store.target(), await store.run()
        await store.write(run, page(target, candles(ORIGIN, 5)))
        if moment in _NEW:
            store.database.backend.writer.dispose()
        given: list[int] = []
        event.listen(
            store.database.backend.writer,
            "do_connect",
            lambda *arguments: given.append(arguments[3]["connect_timeout"]),
            insert=True,
        )
        black_hole.swallow(MOMENTS[moment])
        writing = asyncio.create_task(
            store.write(run, page(target, candles(ORIGIN + 5 * MINUTE, 5)))
        )
        await until(black_hole.swallowed.wait)
        clock.advance(_DEADLINE_S - 0.01)
        await turns()
        # A connection being opened may already end, by the clock of libpq.
        assert moment == "while it is opened" or not writing.done()
        clock.advance(0.02)
        await until_done(writing)
        with pytest.raises(StoreUnavailableError):
            await writing
        assert set(given) <= {_CONNECT_S}
        assert len(given) <= 1, "there is no second attempt after the deadline"
        black_hole.speak()
        assert (
            await store.value("SELECT count(*) AS n FROM candle")
            == await store.value("SELECT sum(inserted) AS n FROM run")
            == 5
        )
        assert (await store.write(run, page(target, candles(ORIGIN + 5 * MINUTE, 5)))).inserted == 5


async def test_any_number_of_transactions_on_a_silent_server_fail_in_time(
    database_behind: str, black_hole: BlackHole, clock: Clock
) -> None:
    async with opened(database_behind, timeout_s=_TIMEOUT_S) as store, cut_in_the_end(black_hole):
        run = await store.run()
        black_hole.swallow()
        with statements_sent() as sent:
            waiting = [
                asyncio.ensure_future(
                    store.value("SELECT 1 AS n") if number % 2 else store.ledger.is_to_stop(run)
                )
                for number in range(60)
            ]
            await until(black_hole.swallowed.wait)
            clock.advance(_DEADLINE_S + 0.01)
            await until_done(*waiting)
        assert {type(task.exception()) for task in waiting} == {StoreUnavailableError}
        # A transaction without a thread at its deadline gets none, and sends nothing.
        late = [task for task in waiting if "busy with other work" in str(task.exception())]
        assert len(late) > len(waiting) / 2
        assert len(sent) <= len(waiting) - len(late)
        black_hole.speak()
        await store.ledger.is_to_stop(run)


async def test_a_transaction_cancelled_twice_leaves_nothing_hanging(
    database_behind: str, black_hole: BlackHole, clock: Clock
) -> None:
    async with opened(database_behind, timeout_s=_TIMEOUT_S) as store, cut_in_the_end(black_hole):
        run = await store.run()
        black_hole.swallow()
        waiting = asyncio.create_task(store.ledger.is_to_stop(run))
        await until(black_hole.swallowed.wait)
        for _ in range(2):
            waiting.cancel()
            await turns()
        clock.advance(_DEADLINE_S + 0.01)
        await until_done(waiting)
        assert waiting.cancelled()


async def test_an_endless_query_is_interrupted(database_url: str, clock: Clock) -> None:
    endless = (
        "WITH RECURSIVE endless(n) AS (SELECT 1 UNION ALL SELECT n + 1 - 1 FROM endless)"
        " SELECT count(*) AS n FROM endless"
    )
    async with opened(database_url, timeout_s=_TIMEOUT_S) as store:
        with statements_sent() as sent:
            asking = asyncio.create_task(store.value(endless))
            while not sent:
                await asyncio.sleep(0)
        if store.database.file:
            clock.advance(_DEADLINE_S - 0.01)
            await turns()
            assert not asking.done()
            # An interruption before SQLite has begun has no effect, and is repeated.
            await until_done(asking, clock=clock)
        # PostgreSQL ends it by its own clock.
        await until_done(asking)
        with pytest.raises(
            StoreUnavailableError,
            match="interrupted" if store.database.file else "statement timeout",
        ):
            await asking
        assert await store.value("SELECT 1 AS n") == 1


# It begins with `held()`, and checks repeatedly whether it is interrupted.
_LONG = (
    "WITH RECURSIVE n(i) AS (SELECT held() UNION ALL SELECT i + 1 FROM n WHERE i < 10000)"
    " SELECT count(*) FROM n"
)


class Work:
    """A transaction that lasts until released; on SQLite in an interruptible statement."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.let_go = threading.Event()

    def __call__(self, connection: Connection) -> None:
        if connection.dialect.name == "sqlite":
            driver: Any = connection.connection.driver_connection
            driver.create_function("held", 0, self._held)
            connection.exec_driver_sql(_LONG)
            return
        connection.exec_driver_sql("SELECT 1")
        self._held()
        connection.exec_driver_sql("SELECT 1")

    def _held(self) -> bool:
        self.begun.set()
        return self.let_go.wait(_PATIENCE_S)


async def test_work_that_waited_for_its_turn_gets_its_whole_time(
    sqlite_database: str, clock: Clock
) -> None:
    async with opened(sqlite_database, timeout_s=_TIMEOUT_S) as store:
        # Each one takes less than the deadline, both together more.
        first, second = Work(), Work()
        writing = [asyncio.create_task(store.database.write(work)) for work in (first, second)]
        for work in (first, second):
            await until(work.begun.wait)
            clock.advance(0.6 * _DEADLINE_S)
            await turns()
            work.let_go.set()
        await until_done(*writing)
        await asyncio.gather(*writing)


async def test_what_was_waited_for_a_turn_is_not_waited_again_for_a_lock(
    sqlite_database: str, clock: Clock
) -> None:
    async with opened(sqlite_database, timeout_s=_TIMEOUT_S) as store:
        first, left_ms = Work(), []

        def second(connection: Connection) -> None:
            left_ms.append(connection.exec_driver_sql("PRAGMA busy_timeout").scalar())

        writing = [asyncio.create_task(store.database.write(work)) for work in (first, second)]
        await until(first.begun.wait)
        clock.advance(0.75 * _TIMEOUT_S)
        await turns()
        first.let_go.set()
        await until_done(*writing)
        await store.database.write(second)
        assert left_ms == [500, 2_000]


async def test_the_deadline_of_a_transaction_does_not_end_the_next_one_on_its_connection(
    postgres_database: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection returned at the last moment may already belong to another transaction."""
    transact, late, following = database_module.Database._transact, Work(), Work()
    heard = threading.Event()

    def ending_late(
        database: database_module.Database,
        engine: Engine,
        work: Callable[[Connection], Any],
        deadline: Any,  # noqa: ANN401 - as it is
    ) -> Any:  # noqa: ANN401 - as it is
        ended = transact(database, engine, work, deadline)
        assert work is not late or heard.wait(_PATIENCE_S)
        return ended

    monkeypatch.setattr(database_module.Database, "_transact", ending_late)
    async with opened(postgres_database, timeout_s=_TIMEOUT_S, threads=3, pool_size=1) as store:
        await store.value("SELECT 1 AS n")
        reading = [asyncio.create_task(store.database.read(late))]
        await until(late.begun.wait)
        clock.advance(0.9 * _DEADLINE_S)
        reading.append(asyncio.create_task(store.database.read(following)))
        await turns()
        late.let_go.set()
        await until(following.begun.wait)
        clock.advance(0.2 * _DEADLINE_S)
        await turns()
        for event in (following.let_go, heard):
            event.set()
        await until_done(*reading)
        await asyncio.gather(*reading)


async def test_a_worker_continues_when_a_silent_server_answers_again(
    postgres_database: str, database_behind: str, black_hole: BlackHole
) -> None:
    """Queries sent meanwhile are never answered, so their connections have to be cut."""
    async with (
        engine(postgres_database) as e,
        # The next query is almost certainly the fetch of a job, and never a heartbeat.
        engine(database_behind, migrated=False, heartbeat_s=0.5, timeout_s=_TIMEOUT_S) as behind,
        cut_in_the_end(black_hole),
        behind.working(poll_s=0.02, sweep_s=600.0),
    ):
        await e.until_state(await e.submit(), "succeeded")
        black_hole.swallow()
        await until(black_hole.swallowed.wait)
        await asyncio.sleep(0.5)
        black_hole.speak()
        await e.until_state(await e.submit(), "succeeded")
