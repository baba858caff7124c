"""Databases locked, cut off, stopped or full: a clear error in time, and nothing half written."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
from typing import TYPE_CHECKING

import psycopg
import pytest
from sqlalchemy import event

from penstock.errors import StoreUnavailableError
from tests.faults.locking import locked
from tests.market_builders import MINUTE, ORIGIN, Opened, candles, opened, page
from tests.postgres_server import start_postgres

if TYPE_CHECKING:
    from pathlib import Path

    from tests.postgres_server import PostgresServer

_BACKENDS = (
    "SELECT pid FROM pg_stat_activity"
    " WHERE application_name = 'penstock' AND datname = current_database()"
)


async def still_whole(store: Opened, rows: int) -> None:
    """Assert that this many candles are stored and counted by the run."""
    assert await store.value("SELECT count(*) AS n FROM candle") == rows
    assert await store.value("SELECT sum(inserted) AS n FROM run") == rows


async def test_a_file_locked_by_another_process_gives_an_error_in_time_and_works_later(
    sqlite_database: str, tmp_path: Path
) -> None:
    async with opened(sqlite_database, timeout_s=1.0) as store:
        target, run = await store.target(), await store.run()
        await store.write(run, page(target, candles(ORIGIN, 5)))
        async with locked(tmp_path / "penstock.db"):
            with pytest.raises(StoreUnavailableError, match="database is locked"):
                await store.write(run, page(target, candles(ORIGIN + 5 * MINUTE, 5)))
            await still_whole(store, 5)
        assert (await store.write(run, page(target, candles(ORIGIN + 5 * MINUTE, 5)))).inserted == 5
        await still_whole(store, 10)


async def test_reads_of_a_locked_file_do_not_wait(sqlite_database: str, tmp_path: Path) -> None:
    async with opened(sqlite_database) as store:
        locker = sqlite3.connect(tmp_path / "penstock.db", isolation_level=None)
        try:
            locker.execute("BEGIN IMMEDIATE")
            assert await store.value("SELECT count(*) AS n FROM candle") == 0
        finally:
            locker.close()


async def test_a_full_disk_gives_an_error_and_writing_resumes_with_free_space(
    sqlite_database: str,
) -> None:
    async with opened(sqlite_database) as store:
        target, run = await store.target(), await store.run()
        await store.write(run, page(target, candles(ORIGIN, 5)))
        # SQLite's own limit of pages answers as a full disk does.
        pages = int(await store.value("PRAGMA page_count"))
        with (
            _writer_pragma(store, f"max_page_count = {pages}"),
            pytest.raises(StoreUnavailableError, match="full"),
        ):
            await store.write(run, page(target, candles(ORIGIN + 5 * MINUTE, 5_000)))
        await still_whole(store, 5)
        assert (
            await store.write(run, page(target, candles(ORIGIN + 5 * MINUTE, 5_000)))
        ).inserted == 5_000
        await still_whole(store, 5_005)


class _writer_pragma:  # noqa: N801 - reads as a statement
    """Set a pragma in the writing connection, and take the limit away at the end."""

    def __init__(self, store: Opened, pragma: str) -> None:
        self._engine = store.database.backend.writer
        self._pragma = pragma

    def _set(self, pragma: str) -> None:
        with self._engine.connect() as connection:
            connection.exec_driver_sql(f"PRAGMA {pragma}")

    def __enter__(self) -> None:
        self._set(self._pragma)

    def __exit__(self, *_: object) -> None:
        self._set("max_page_count = 1073741823")


def end_backends(url: str, how: str = "terminate") -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"SELECT pg_{how}_backend(pid) FROM ({_BACKENDS}) AS theirs")


@pytest.mark.parametrize("how", ["terminate", "cancel"])
async def test_an_interrupted_copy_is_a_temporary_error_and_leaves_no_rows(
    postgres_database: str, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    write = psycopg.Copy.write

    def cut(self: psycopg.Copy, rows: bytes | str) -> None:
        write(self, rows[: len(rows) // 2])
        end_backends(postgres_database, how)
        write(self, rows[len(rows) // 2 :])

    async with opened(postgres_database) as store:
        target, run = await store.target(), await store.run()
        await store.write(run, page(target, candles(ORIGIN, 5)))
        with monkeypatch.context() as patched:
            patched.setattr(psycopg.Copy, "write", cut)
            with pytest.raises(StoreUnavailableError):
                await store.write(run, page(target, candles(ORIGIN + 5 * MINUTE, 5_000)))
        await still_whole(store, 5)
        assert (
            await store.write(run, page(target, candles(ORIGIN + 5 * MINUTE, 5_000)))
        ).inserted == 5_000
        await still_whole(store, 5_005)


async def test_a_connection_killed_before_the_commit_leaves_no_rows(
    postgres_database: str,
) -> None:
    async with opened(postgres_database) as store:
        target, run = await store.target(), await store.run()
        engine = store.database.backend.writer

        def cut(*_: object) -> None:
            end_backends(postgres_database)

        event.listen(engine, "commit", cut)
        with pytest.raises(StoreUnavailableError):
            await store.write(run, page(target, candles(ORIGIN, 5)))
        event.remove(engine, "commit", cut)
        await still_whole(store, 0)
        assert (await store.write(run, page(target, candles(ORIGIN, 5)))).inserted == 5


async def test_idle_connections_that_were_cut_are_replaced_without_an_error(
    postgres_database: str,
) -> None:
    async with opened(postgres_database) as store:
        run = await store.run()
        end_backends(postgres_database)
        assert (
            await store.write(run, page(await store.target(), candles(ORIGIN, 5)))
        ).inserted == 5


async def test_waiting_for_a_foreign_lock_ends_with_the_time_out(
    postgres_database: str,
) -> None:
    async with opened(postgres_database, timeout_s=1) as store:
        run = await store.run()
        target = await store.target()
        with psycopg.connect(postgres_database) as other:
            other.execute("LOCK TABLE candle IN ACCESS EXCLUSIVE MODE")
            with pytest.raises(StoreUnavailableError, match="timeout"):
                await store.write(run, page(target, candles(ORIGIN, 5)))
        assert (await store.write(run, page(target, candles(ORIGIN, 5)))).inserted == 5


async def stop(server: PostgresServer) -> None:
    """Stop it at once, with open transactions; its pid file goes when its last process ends."""
    pid_file = server.socket_folder / "data" / "postmaster.pid"
    os.kill(int(pid_file.read_text(encoding="ascii").splitlines()[0]), signal.SIGQUIT)
    async with asyncio.timeout(30):
        while pid_file.exists():
            await asyncio.sleep(0.01)


async def test_a_stopped_server_gives_an_error_without_waiting() -> None:
    with start_postgres() as server:
        async with opened(server.url, timeout_s=2) as store:
            run = await store.run()
            target = await store.target()
            await stop(server)
            for _ in range(2):
                with pytest.raises(StoreUnavailableError):
                    await asyncio.wait_for(store.write(run, page(target, candles(ORIGIN, 5))), 30)
            with pytest.raises(StoreUnavailableError):
                await asyncio.wait_for(store.run(), 30)
