"""Heavy readers beside light ones: health does not wait for them, and too many are told so."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING

from penstock.api.routes import parts
from tests.api.collector import PATIENCE_S, collector
from tests.api.guarded import ADMIN, bearer
from tests.api.steps import steps_on_the_loop
from tests.budget.spending import MOST_STEPS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import pytest
    from sqlalchemy import Connection

    from tests.api.collector import Collector
    from tests.conftest import Say

_CANDLES = "/api/v1/candles?symbol=BTCUSDT&timeframe=1m&limit=5000"
_READERS = 30


@contextlib.asynccontextmanager
async def _held(service: Collector) -> AsyncIterator[None]:
    """Hold all threads that read, and all connections that they share, while the block runs."""
    release, taken = threading.Event(), threading.Semaphore(0)
    threads = service.app.settings.database_threads

    def hold(_: Connection) -> None:
        taken.release()
        assert release.wait(PATIENCE_S)

    holding = [asyncio.create_task(service.app.database.read(hold)) for _ in range(threads)]
    for _ in range(threads):
        assert await asyncio.to_thread(taken.acquire, timeout=PATIENCE_S)
    try:
        yield
    finally:
        release.set()
        await asyncio.gather(*holding)


async def test_health_does_not_wait_for_readers(database_url: str) -> None:
    async with collector(database_url, work=False, admin_token=ADMIN) as service:
        await service.app.database.read(lambda _: None)
        async with _held(service):
            asking = [
                asyncio.create_task(service.call("GET", _CANDLES, **bearer(ADMIN)))
                for _ in range(_READERS)
            ]
            for headers in ({}, bearer(ADMIN)):
                async with asyncio.timeout(PATIENCE_S / 2):
                    status, ready = await service.call("GET", "/readyz", **headers)
                assert (status, ready["status"]) == (200, "ok")
            assert not any(one.done() for one in asking)
        assert {status for status, _ in await asyncio.gather(*asking)} == {404}


async def test_more_readers_than_can_wait_are_told_to_come_back(
    sqlite_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "_MOST_READS", _READERS)
    async with collector(sqlite_database, work=False) as service, _held(service):
        url = f"{service.url}{_CANDLES}"
        asking = [asyncio.create_task(service.call("GET", _CANDLES)) for _ in range(_READERS + 2)]
        refused, _ = await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
        for one in refused:
            status, problem = one.result()
            assert (status, problem["code"]) == (503, "database_unavailable")
            assert problem["detail"].endswith("try again soon")
        for one in asking:
            one.cancel()
        async with service.session.get(url) as answer:
            assert int(answer.headers["Retry-After"]) > 0


async def test_a_large_answer_takes_small_steps_on_the_loop(sqlite_database: str, say: Say) -> None:
    async with collector(sqlite_database) as service:
        await service.collect("BTCUSDT", limit=5_000)
        await service.get(_CANDLES)
        with steps_on_the_loop() as steps:
            assert len((await service.get(_CANDLES))["candles"]) == 5_000
    say(f"{steps.most} steps")
    assert steps.most <= MOST_STEPS, steps


async def test_the_document_is_made_beside_other_work(sqlite_database: str) -> None:
    async with collector(sqlite_database) as service:
        # FastAPI prepares each route once, when it is first looked at.
        assert (await service.call("GET", "/api/v1/nothing"))[0] == 404
        with steps_on_the_loop() as steps:
            documents = await asyncio.gather(*(service.get("/openapi.json") for _ in range(2)))
    assert "/api/v1/candles" in documents[0]["paths"]
    assert documents[0] == documents[1]
    assert steps.most <= MOST_STEPS, steps
