"""A sync against the simulated CardTrader: a whole export is published, or nothing new."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from penstock.domains.inventory import make_inventory_runs, make_inventory_source
from penstock.domains.parts import http_limits
from penstock.errors import (
    FencedError,
    NotFoundError,
    RetryableError,
    SourceRefusedError,
    SourceUnavailableError,
    StoreUnavailableError,
)
from penstock.http.governor import LocalBudget
from penstock.inventory.pace import Phase
from penstock.inventory.result import SyncResult
from penstock.inventory.snapshot import INVENTORY_SYNC
from penstock.runs.context import RunContext
from penstock.settings import load_settings
from penstock.simulator.server import SimulatorSettings, running
from tests.inventory_builders import MemoryStore, StagedRows, Unwritten, a_run

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from penstock.inventory.product import Product
    from penstock.inventory.sync.runs import InventoryRuns
    from penstock.runs.run import Run

PRODUCTS = 3_000
_PATIENCE_S = 60.0


@dataclass
class Shop:
    """A simulated seller, and syncs into memory."""

    url: str
    session: aiohttp.ClientSession
    folder: Path
    store: MemoryStore = field(default_factory=MemoryStore)

    def runs(self, **given: Any) -> InventoryRuns:
        hasty = {
            "request_attempts": 1,
            "export_attempts": 1,
            "request_longest_pause_s": 0.0,
            "cardtrader_url": self.url,
            "export_folder": self.folder,
        }
        settings = load_settings(**(hasty | given))
        source = make_inventory_source(
            settings, http_limits(settings), lambda _name, window_s: LocalBudget(window_s=window_s)
        )
        return make_inventory_runs(settings, source, self.store)

    async def sync(self, run: Run | None = None, **given: Any) -> SyncResult:
        result = await self.runs(**given).sync_account(RunContext(run or a_run(), Unwritten()))
        assert isinstance(result, SyncResult)
        return result

    async def faults(self, *faults: dict[str, Any]) -> None:
        """Set exactly these faults, and reset the count of requests."""
        await self.admin("PUT", "faults", list(faults))
        await self.admin("DELETE", "requests")

    async def exports(self) -> int:
        newest = (await self.admin("GET", "requests?limit=10000"))["newest"]
        return sum(request["path"] == "/api/v2/products/export" for request in newest)

    async def advance(self, **changes: Any) -> None:
        await self.admin("POST", "accounts/demo/versions", changes)

    async def admin(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401
        async with self.session.request(
            method, f"{self.url}/simulator/{path}", json=body
        ) as response:
            assert response.status == 200, await response.text()
            return await response.json()

    async def check(self) -> None:
        """Assert that the newest version of the seller's inventory is published."""
        true = await self.admin("GET", "accounts/demo/versions/newest")
        published = self.store.published.values()
        assert len(published) == true["products"]
        assert str(sum(product.id for product in published)) == true["ids"]
        assert sum(product.price_cents for product in published) == true["price_cents"]
        assert sum(product.quantity for product in published) == true["quantity"]

    def files(self) -> list[str]:
        return [path.name for path in self.folder.iterdir()] if self.folder.exists() else []


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    settings = SimulatorSettings(
        symbols=2, accounts=(f"demo:{PRODUCTS}",), expansions=2, limits=False
    )
    async with running(settings) as url, aiohttp.ClientSession() as session:
        yield Shop(url, session, tmp_path / "exports")


async def test_a_sync_publishes_the_whole_export_and_a_second_one_finds_nothing_changed(
    shop: Shop,
) -> None:
    result = await shop.sync()
    await shop.check()
    assert (result.counts.new, result.rows, result.held) == (PRODUCTS, PRODUCTS, False)
    again = await shop.sync()
    assert again.summary()["message"] == "Nothing changed: 3,000 products up to date"
    await shop.advance(changed=1, gone=1, new=1)
    assert (await shop.sync()).message == "Published: 30 new, 30 changed, 30 gone, 2,940 unchanged"
    await shop.check()
    assert shop.files() == []


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
async def test_an_export_is_whole_under_each_framing(
    shop: Shop, framing: str, *, packed: bool
) -> None:
    await shop.faults(
        {"name": "framing", "kind": framing},
        {"name": "gzip", "probability": int(packed)},
        {"name": "array"},
    )
    await shop.sync()
    await shop.check()


@pytest.mark.parametrize("framed", [False, True])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
async def test_cuts_under_each_framing_are_noticed_and_nothing_is_compared(
    shop: Shop, framing: str, *, packed: bool, framed: bool
) -> None:
    chance = random.Random(f"{framing} {packed} {framed}")
    for at in (
        0,
        -1,
        -2,
        *(chance.randrange(1_000, 150_000) for _ in range(5)),
        *(-chance.randrange(3, 3_000) for _ in range(5)),
    ):
        cut = {"name": "cut", "at": at, "framed": framed}
        await shop.faults(
            cut, {"name": "framing", "kind": framing}, {"name": "gzip", "probability": int(packed)}
        )
        with pytest.raises(SourceUnavailableError):
            await shop.sync()
        assert shop.store.compared == 0
        assert shop.files() == []


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"name": "server_error", "code": 502}, SourceUnavailableError),
        ({"name": "html", "status": 200}, SourceUnavailableError),
        ({"name": "rate_limit"}, RetryableError),
        ({"name": "reset"}, SourceUnavailableError),
        ({"name": "unauthorized", "code": 401}, SourceRefusedError),
        ({"name": "html", "status": 403}, SourceRefusedError),
        ({"name": "hang"}, SourceUnavailableError),
    ],
    ids=range(7),
)
async def test_an_answer_that_is_not_an_export_ends_the_sync_with_the_right_reason(
    shop: Shop, fault: dict[str, Any], error: type[Exception]
) -> None:
    await shop.faults(fault, {"name": "gzip"})
    with pytest.raises(error):
        await shop.sync(export_first_byte_s=0.5 if fault["name"] == "hang" else _PATIENCE_S)
    assert shop.store.compared == 0
    assert shop.files() == []


@pytest.mark.parametrize("kind", ["malformed", "missing_id", "broken_json"])
async def test_a_bad_row_is_refused_and_all_others_are_published(shop: Shop, kind: str) -> None:
    await shop.faults({"name": "bad_products", "kind": kind, "row": 1_234})
    result = await shop.sync()
    assert (result.counts.new, result.counts.rejected) == (PRODUCTS - 1, 1)
    assert shop.store.last is not None
    assert shop.store.last.rejected[0].raw.startswith("{")


async def test_unknown_fields_change_nothing(shop: Shop) -> None:
    await shop.faults({"name": "bad_products", "kind": "unknown_field"})
    await shop.sync()
    await shop.check()


async def test_a_dry_run_and_a_suspicious_export_are_kept_and_publish_nothing(shop: Shop) -> None:
    dry = await shop.sync(a_run(dry_run=True))
    assert (dry.held, dry.counts.new, shop.store.published) == (False, PRODUCTS, {})
    await shop.sync()
    await shop.faults({"name": "bad_products", "kind": "empty"})
    held = await shop.sync()
    assert held.summary()["held"] is True
    assert held.summary()["suspicions"] == {"empty": "The export is empty."}
    assert [was_held for _, was_held in shop.store.kept] == [False, True]
    await shop.check()


async def test_the_progress_goes_through_all_phases_and_ends_with_the_outcome(
    shop: Shop,
) -> None:
    await shop.faults({"name": "throttle", "bytes_per_s": 2_000_000})
    await shop.sync()
    shown = shop.store.shown
    assert shown[-1].message == "Published: 3,000 new, 0 unchanged"
    assert (shown[-1].percent, shown[-1].rows, shown[-1].phase) == (100, PRODUCTS, Phase.PUBLISH)
    assert [progress.percent for progress in shown] == sorted(
        progress.percent for progress in shown
    )
    coming = [progress for progress in shown if progress.phase is Phase.EXPORT and progress.bytes]
    assert coming
    assert all(progress.eta_seconds is not None for progress in coming)


async def test_a_taken_over_run_ends_at_its_next_progress_and_publishes_nothing(
    shop: Shop,
) -> None:
    await shop.faults({"name": "slow", "bytes": 1_000, "pause_ms": 1_000})
    shop.store.refuses_progress = FencedError("this run was taken over")
    with pytest.raises(FencedError):
        await shop.sync()
    assert shop.store.published == {}


async def test_a_failure_to_store_progress_does_not_end_the_sync(shop: Shop) -> None:
    await shop.faults({"name": "throttle", "bytes_per_s": 2_000_000})
    shop.store.refuses_progress = StoreUnavailableError("the database is busy")
    await shop.sync()
    await shop.check()


# ── After a crash ─────────────────────────────────────────────────────────────


@pytest.mark.parametrize("packed", [False, True])
async def test_a_restart_after_a_whole_export_uses_the_kept_export(
    shop: Shop, *, packed: bool
) -> None:
    await shop.faults({"name": "gzip", "probability": int(packed)})
    task_id = uuid.uuid4()
    shop.store.fails = StoreUnavailableError("the database is gone")
    with pytest.raises(StoreUnavailableError):
        await shop.sync(a_run(task_id=task_id))
    assert shop.files() == [f"{task_id}.json.gz"]
    shop.store.fails = None
    result = await shop.sync(a_run(task_id=task_id, fence=2))
    await shop.check()
    assert (result.rows, await shop.exports(), shop.files()) == (PRODUCTS, 1, [])


async def test_another_run_or_machine_requests_its_own_export(shop: Shop, tmp_path: Path) -> None:
    task_id = uuid.uuid4()
    shop.store.fails = StoreUnavailableError("the database is gone")
    with pytest.raises(StoreUnavailableError):
        await shop.sync(a_run(task_id=task_id))
    shop.store.fails = None
    await shop.sync(a_run())
    await shop.sync(a_run(task_id=task_id, fence=2), export_folder=tmp_path / "elsewhere")
    assert await shop.exports() == 3


@pytest.mark.parametrize("damage", [b"", b"no gzip", None])
async def test_a_damaged_kept_export_is_dropped_and_requested_again(
    shop: Shop, damage: bytes | None
) -> None:
    run = a_run()
    shop.store.fails = StoreUnavailableError("the database is gone")
    with pytest.raises(StoreUnavailableError):
        await shop.sync(run)
    shop.store.fails = None
    [kept] = shop.folder.iterdir()
    kept.write_bytes(kept.read_bytes()[:-9] if damage is None else damage)
    with pytest.raises(SourceUnavailableError):
        await shop.sync(run)
    assert shop.files() == []
    await shop.sync(run)
    await shop.check()


async def test_an_unfinished_export_of_an_ended_process_is_not_used(shop: Shop) -> None:
    run = a_run()
    shop.folder.mkdir()
    (shop.folder / f"{run.task_id}.1.part").write_bytes(b"half")
    await shop.sync(run)
    await shop.check()
    assert await shop.exports() == 1


async def test_unneeded_exports_are_removed_and_recent_ones_stay(
    shop: Shop,
) -> None:
    shop.folder.mkdir()
    for name in ("old.json.gz", "old.1.part", "old.txt", "young.json.gz"):
        (shop.folder / name).write_bytes(b"")
        if name.startswith("old"):
            os.utime(shop.folder / name, (1, 1))
    await shop.sync()
    assert sorted(shop.files()) == ["old.txt", "young.json.gz"]


async def test_a_cancelled_sync_leaves_no_half_file(shop: Shop) -> None:
    await shop.faults({"name": "slow", "bytes": 1_000, "pause_ms": 1_000})
    syncing = asyncio.create_task(shop.sync())
    while not shop.files():
        await asyncio.sleep(0.01)
    syncing.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await syncing
    assert shop.files() == []


async def test_an_unwritable_folder_does_not_stop_a_sync(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    await shop.sync(export_folder=tmp_path / "file" / "exports")
    await shop.check()


async def test_a_sync_that_fails_permanently_keeps_no_export(shop: Shop) -> None:
    shop.store.fails = NotFoundError("the account is gone")
    with pytest.raises(NotFoundError):
        await shop.sync()
    assert shop.files() == []


# ── Memory ────────────────────────────────────────────────────────────────────


async def test_a_slow_database_slows_down_the_download(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = asyncio.Event()
    add = StagedRows.add

    async def waiting(self: StagedRows, products: Sequence[Product]) -> None:
        await gate.wait()
        await add(self, products)

    monkeypatch.setattr(StagedRows, "add", waiting)
    settings = SimulatorSettings(symbols=2, accounts=("demo:60000",), limits=False)
    async with running(settings) as url, aiohttp.ClientSession() as session:
        shop = Shop(url, session, tmp_path)
        syncing = asyncio.create_task(shop.sync())
        received = [-1, 0]
        # Until nothing has arrived for a second.
        while received[-1] == 0 or len(set(received[-4:])) > 1:
            await asyncio.sleep(0.25)
            received.append(shop.store.shown[-1].bytes if shop.store.shown else 0)
        # Of 34 MB: three finished pages of 3 MB, blocks around the cutter, and socket buffers.
        assert received[-1] < 25_000_000
        gate.set()
        await syncing
        await shop.check()


async def test_a_submitted_sync_claims_its_account(shop: Shop) -> None:
    submission = await shop.runs().sync(1, dry_run=True)
    assert (submission.kind, list(submission.resources), submission.params["dry_run"]) == (
        INVENTORY_SYNC,
        ["account:1"],
        True,
    )
    with pytest.raises(NotFoundError):
        await shop.runs().sync(2)
