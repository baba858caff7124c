"""A whole sync as a run of a real application: download, parse, stage, check, publish.

`python -m benchmarks.syncs` is that application, a separate process whose memory and event loop
are measured: it reads its task as JSON from standard input and writes its result as JSON to
standard output. The simulator writes the body of each export before the sync begins.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, TypedDict

from sqlalchemy import func, select

from benchmarks.exchange import SELLER, Exchange, exchange
from benchmarks.memory import peak_memory_mb
from benchmarks.places import KINDS, POSTGRESQL, SQLITE
from benchmarks.report import Figure, median_of, percentile, worst_of
from penstock.access.vault import new_key
from penstock.api.metrics.loop_lag import LoopLag
from penstock.app import open_app
from penstock.domains.inventory import InventoryParts
from penstock.inventory.tables import product
from penstock.logs import log_to_stderr
from penstock.process import prepare_to_serve, share_one_heap
from penstock.runs.events import EventsLost, RunChanged
from penstock.runs.tables import run as runs
from penstock.settings import load_settings
from penstock.store.write.inventory.accounts import SqlAccounts
from tests.statements import statements_sent

if TYPE_CHECKING:
    import uuid
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Row

    from benchmarks.places import Places
    from benchmarks.sizes import Sizes
    from penstock.app import App

_NAMES = ("first import", "unchanged", "1 % changed")
# Limits in seconds for 250,000 products.
_LIMITS = {
    SQLITE: dict(zip(_NAMES, (6.0, 4.5, 5.0), strict=True)),
    POSTGRESQL: dict(zip(_NAMES, (5.0, 2.5, 3.0), strict=True)),
}
_MOST_MEMORY_MB = 256.0
_LAG_P99_MS, _LAG_MAX_MS = 50.0, 250.0
# A million products compared with a quarter of that.
_MOST_TIMES = 4.6
_PATIENCE_S = 600.0
_LOOK_S = 0.2


class _Task(TypedDict):
    database: str
    exchange: str
    folder: str


class _Synced(TypedDict):
    seconds: float
    statements: int
    written: int
    lags_ms: list[float]


class _Done(TypedDict):
    syncs: dict[str, _Synced]
    memory_mb: float
    memory_before_mb: float


def measure(places: Places, sizes: Sizes) -> Iterator[Figure]:
    """Seconds, statements, memory and loop lag of the three kinds of sync."""
    with exchange(sizes.products) as simulator:
        for kind in KINDS:
            done = [_round(places, kind, simulator) for _ in range(sizes.inventory_rounds)]
            yield from _figures(kind, done, sizes)


def measure_many(places: Places, sizes: Sizes) -> Iterator[Figure]:
    """The same for four times as many products, in turn."""
    with exchange(sizes.products) as some, exchange(4 * sizes.products) as many:
        for kind in KINDS:
            done = [
                (_round(places, kind, some), _round(places, kind, many))
                for _ in range(sizes.many_rounds)
            ]
            yield from _compared(
                kind, [fewer for fewer, _ in done], [more for _, more in done], sizes
            )


def _round(places: Places, kind: str, simulator: Exchange) -> _Done:
    """All three kinds in a new process on a new database."""
    with places.fresh(kind) as url, tempfile.TemporaryDirectory(dir=places.folder) as folder:
        task: _Task = {"database": url, "exchange": simulator.url, "folder": folder}
        command = [sys.executable, "-m", "benchmarks.syncs"]
        done: _Done = json.loads(
            subprocess.run(
                command, input=json.dumps(task), stdout=subprocess.PIPE, text=True, check=True
            ).stdout
        )
    return done


def _figures(kind: str, done: Sequence[_Done], sizes: Sizes) -> Iterator[Figure]:
    for name in _NAMES:
        syncs = [result["syncs"][name] for result in done]
        note = f"{sizes.products:,} products, {syncs[0]['statements']} statements"
        yield median_of(
            f"sync, {name}",
            kind,
            "s",
            [sync["seconds"] for sync in syncs],
            limit=_LIMITS[kind][name],
            note=note,
        )
    unchanged = [float(result["syncs"]["unchanged"]["written"]) for result in done]
    yield worst_of("sync, unchanged, product rows written", kind, "", unchanged, limit=0)
    yield _memory(kind, "sync, peak memory", done)
    lags = [lag for result in done for sync in result["syncs"].values() for lag in sync["lags_ms"]]
    yield Figure(
        name="sync, loop lag p99",
        database=kind,
        unit="ms",
        samples=lags,
        value=percentile(lags, 99),
        limit=_LAG_P99_MS,
    )
    yield worst_of("sync, loop lag max", kind, "ms", lags, limit=_LAG_MAX_MS)


def _compared(
    kind: str, fewer: Sequence[_Done], more: Sequence[_Done], sizes: Sizes
) -> Iterator[Figure]:
    note = f"{4 * sizes.products:,} products"
    for name in _NAMES:
        few, many = (
            [result["syncs"][name]["seconds"] for result in done] for done in (fewer, more)
        )
        yield median_of(f"sync of four times as many, {name}", kind, "s", many, note=note)
        pairs = [much / little for much, little in zip(many, few, strict=True)]
        ratio = f"four times as many ÷ {sizes.products:,}, {name}"
        yield Figure(
            name=ratio,
            database=kind,
            unit="×",
            samples=pairs,
            value=median(many) / median(few),
            limit=_MOST_TIMES,
            note="ratio of medians",
        )
    yield _memory(kind, "sync of four times as many, peak memory", more)


def _memory(kind: str, name: str, done: Sequence[_Done]) -> Figure:
    note = f"the whole process; {done[0]['memory_before_mb']:.0f} MB before it began"
    return worst_of(
        name, kind, "MB", [result["memory_mb"] for result in done], limit=_MOST_MEMORY_MB, note=note
    )


async def _worked(task: _Task) -> _Done:
    settings = load_settings(
        database_url=task["database"],
        cardtrader_url=task["exchange"],
        export_folder=Path(task["folder"]) / "exports",
        secret_key=new_key(),
    )
    simulator = Exchange(task["exchange"])
    async with open_app(settings) as app, app.working():
        async with app.of(InventoryParts).source.account(SELLER) as asked:
            user_id = (await asked.seller()).user_id
        account_id = await SqlAccounts(app.database, app.vault).add("benchmark", SELLER, user_id)
        prepare_to_serve()
        before_mb, syncs = peak_memory_mb(), {}
        for name in _NAMES:
            if name == "1 % changed":
                await asyncio.to_thread(simulator.change_products, 1)
            await asyncio.to_thread(simulator.prepare_export)
            syncs[name] = await _sync(app, account_id)
            # A separate run looks up the new products at the provider's pace; in practice the next
            # sync begins an hour later.
            await _until_idle(app)
    return {"syncs": syncs, "memory_mb": peak_memory_mb(), "memory_before_mb": before_mb}


async def _sync(app: App, account_id: int) -> _Synced:
    """Measure from the submission to the end of the run."""
    lag = LoopLag()
    async with lag.measured():
        started = time.perf_counter()
        with statements_sent() as sent:
            order = await app.of(InventoryParts).runs.sync(account_id)
            run = await _ended(app, await app.ledger.submit(order))
        seconds = time.perf_counter() - started
    if run.state != "succeeded" or run.result["held"]:
        message = f"the sync did not succeed: {run.error} {run.result}"
        raise RuntimeError(message)
    written = select(func.count()).select_from(product).where(product.c.changed_run == run.id)
    count = await app.database.read(lambda connection: connection.execute(written).scalar_one())
    return {"seconds": seconds, "statements": len(sent), "written": count, "lags_ms": lag.all_ms()}


async def _until_idle(app: App) -> None:
    active = select(func.count()).where(runs.c.state.in_(("queued", "running")))
    async with asyncio.timeout(_PATIENCE_S):
        while await app.database.read(lambda connection: connection.execute(active).scalar_one()):
            await asyncio.sleep(_LOOK_S)


async def _ended(app: App, task_id: uuid.UUID) -> Row[Any]:
    """The run, once it has ended; checked after each event about a run."""
    query = select(runs).where(runs.c.task_id == str(task_id))
    async with asyncio.timeout(_PATIENCE_S):
        with app.database.events.subscribed() as subscription:
            row = await app.database.read(lambda connection: connection.execute(query).one())
            heard = aiter(subscription)
            while row.state in {"queued", "running"}:
                # Transactions that change nothing also wake this wait.
                if {RunChanged(row.id), EventsLost()} & set(await anext(heard)):
                    row = await app.database.read(
                        lambda connection: connection.execute(query).one()
                    )
    return row


if __name__ == "__main__":
    share_one_heap()
    log_to_stderr("warning")
    print(json.dumps(asyncio.run(_worked(json.load(sys.stdin)))))
