"""Databases that say nothing any more, without closing anything: each transaction ends by its deadline, whatever it waits for in that moment."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest

from penstock.errors import StoreUnavailableError
from tests.market_builders import MINUTE, ORIGIN, candles, opened, page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.postgres_server import PostgresServer

_TIMEOUT_S = 1.0
# The deadline of a transaction is 1.5 times the time-out. A new connection may take 2 s beside it: libpq knows no less.
_LONGEST_S = 1.5 * _TIMEOUT_S + 2
# A shared machine may be slow; a server that is waited for without end is far beyond this.
_SLACK_S = 12.0


class BlackHole:
    """A proxy to a server that at some moment swallows everything: connections stay open, and nothing comes back."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._swallowing = threading.Event()
        self._word: bytes | None = None
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def swallow(self, word: str | None = None) -> None:
        """Everything from now on, or beginning with what has this word in it."""
        self._word = None if word is None else word.encode()
        if word is None:
            self._swallowing.set()

    def speak(self) -> None:
        self._word = None
        self._swallowing.clear()

    @property
    def swallowing(self) -> bool:
        return self._swallowing.is_set()

    def close(self) -> None:
        self._listener.close()
        for one in self._sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._target))
            self._sockets += [client, server]
            for one, other in ((client, server), (server, client)):
                threading.Thread(target=self._pump, args=(one, other), daemon=True).start()

    def _pump(self, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError), one, other:
            while data := one.recv(65_536):
                if self._word is not None and self._word in data:
                    self._swallowing.set()
                if not self._swallowing.is_set():
                    other.sendall(data)
            # The other thread waits for the other one.
            other.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def black_hole(postgres_server: PostgresServer) -> Iterator[BlackHole]:
    proxy = BlackHole(int(postgres_server.url.rpartition(":")[2].partition("/")[0]))
    yield proxy
    proxy.close()


@pytest.fixture
def database_behind(postgres_database: str, black_hole: BlackHole) -> str:
    """The URL of a fresh database behind the proxy."""
    port = postgres_database.rpartition(":")[2].partition("/")[0]
    return postgres_database.replace(f":{port}/", f":{black_hole.port}/")


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
async def test_a_server_that_falls_silent_is_an_error_in_time_and_works_again_when_it_speaks(
    database_behind: str, black_hole: BlackHole, moment: str
) -> None:
    async with opened(database_behind, timeout_s=_TIMEOUT_S) as store:
        target, run = await store.target(), await store.run()
        await store.write(run, page(target, candles(ORIGIN, 5)))
        if moment in _NEW:
            store.database.backend.writer.dispose()
        black_hole.swallow(MOMENTS[moment])
        began = time.monotonic()
        with pytest.raises(StoreUnavailableError):
            await asyncio.wait_for(store.write(run, page(target, candles(ORIGIN + 5 * MINUTE, 5))), 30)
        assert time.monotonic() - began < _LONGEST_S + _SLACK_S
        assert black_hole.swallowing, "it was silent at that moment"
        black_hole.speak()
        assert await store.value("SELECT count(*) AS n FROM candle") == await store.value("SELECT sum(inserted) AS n FROM run") == 5
        assert (await store.write(run, page(target, candles(ORIGIN + 5 * MINUTE, 5)))).inserted == 5


async def test_all_who_wait_for_a_silent_server_hear_of_it_in_time_however_many_they_are(database_behind: str, black_hole: BlackHole) -> None:
    async with opened(database_behind, timeout_s=_TIMEOUT_S) as store:
        run = await store.run()
        black_hole.swallow()
        began = time.monotonic()
        waiting = (store.value("SELECT 1 AS n") if number % 2 else store.ledger.heartbeat(run) for number in range(60))
        heard = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 60)
        # Who has no thread when his own deadline is over gets none; those before him have theirs.
        assert time.monotonic() - began < 2 * _LONGEST_S + _SLACK_S
        assert {type(one) for one in heard} == {StoreUnavailableError}
        black_hole.speak()
        await store.ledger.heartbeat(run)


async def test_who_was_cancelled_twice_leaves_nothing_that_hangs(database_behind: str, black_hole: BlackHole) -> None:
    began = time.monotonic()
    async with opened(database_behind, timeout_s=_TIMEOUT_S) as store:
        run = await store.run()
        black_hole.swallow()
        waiting = asyncio.create_task(store.ledger.heartbeat(run))
        for _ in range(2):
            await asyncio.sleep(0.1)
            waiting.cancel()
        await asyncio.wait([waiting], timeout=30)
        assert waiting.cancelled()
    assert time.monotonic() - began < 2 * _LONGEST_S + _SLACK_S


async def test_a_query_without_an_end_is_ended(database_url: str) -> None:
    endless = "WITH RECURSIVE endless(n) AS (SELECT 1 UNION ALL SELECT n + 1 - 1 FROM endless) SELECT count(*) AS n FROM endless"
    async with opened(database_url, timeout_s=_TIMEOUT_S) as store:
        began = time.monotonic()
        with pytest.raises(StoreUnavailableError):
            await asyncio.wait_for(store.value(endless), 30)
        assert time.monotonic() - began < _LONGEST_S + _SLACK_S
        assert await store.value("SELECT 1 AS n") == 1


async def test_work_that_only_had_to_wait_for_its_turn_gets_its_whole_time(sqlite_database: str) -> None:
    async with opened(sqlite_database, timeout_s=_TIMEOUT_S) as store:
        # Each one within the deadline of 1.5 s, both together not.
        slow = [asyncio.create_task(store.database.write(lambda _: time.sleep(1.0))) for _ in range(2)]
        await asyncio.gather(*slow)


async def test_the_deadline_of_one_transaction_does_not_end_the_next_one_on_its_connection(postgres_database: str) -> None:
    """What is given back in the last moment belongs to somebody else, however late the loop looks at the clock."""
    async with opened(postgres_database, timeout_s=_TIMEOUT_S, threads=3, pool_size=1) as store:
        await store.value("SELECT pg_sleep(0.9)::text AS n")
        late = asyncio.create_task(store.value("SELECT pg_sleep(0.9)::text AS n"))
        await asyncio.sleep(0.85)
        following = asyncio.create_task(store.value("SELECT pg_sleep(0.9)::text AS n"))
        await asyncio.sleep(0)
        time.sleep(0.9)  # noqa: ASYNC251 - the loop is late: the deadline of the first is over long after its end
        await asyncio.gather(late, following)
