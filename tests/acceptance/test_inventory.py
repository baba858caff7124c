"""`penstock accounts`, `sync`, `diff`, `approve`: a card seller's inventory by command line."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import signal
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from penstock.cli.client import ApiClient
from penstock.cli.commands.inventory.decide import decided_on
from penstock.cli.in_process import InProcess
from penstock.cli.stored import Inventories
from penstock.domains.inventory import InventoryParts
from penstock.foreground import foreground
from penstock.inventory.catalogue.rows import BlueprintRow
from penstock.store.write.inventory.catalogue import SqlBlueprints
from tests.acceptance.seller import PRODUCTS, TOKEN, a_seller
from tests.acceptance.terminal import on_a_terminal
from tests.market_builders import unfenced

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.acceptance.commands import Penstock
    from tests.acceptance.seller import Seller

_EXPORT = "/api/v2/products/export"
# This part of an export arrives; the rest arrives when the faults are changed.
_STOPS = {"name": "gate", "path": _EXPORT, "at": 60_000}
_COUNTED = "SELECT count(*) FROM product WHERE gone_at IS NULL"


@pytest.fixture
async def seller(penstock: Penstock, sqlite_database: str) -> AsyncIterator[Seller]:
    async with a_seller(penstock, sqlite_database) as seller:
        yield seller


@pytest.fixture
async def sellers_database(penstock: Penstock, database_url: str) -> AsyncIterator[Seller]:
    """The same on both databases."""
    async with a_seller(penstock, database_url) as seller:
        yield seller


async def test_a_seller_adds_an_account_syncs_it_and_decides_on_held_syncs(
    sellers_database: Seller,
) -> None:
    seller, penstock = sellers_database, sellers_database.penstock
    added = await penstock.with_settings(cardtrader_token=TOKEN)("accounts", "add", "my shop")
    assert (added.code, added.out) == (
        0,
        "account 1: my shop, seller 1001, sync it with: penstock sync 'my shop'\n",
    )
    first = (await penstock("sync", "my shop", "--json")).json
    assert (first["counts"]["new"], first["status"], first["phase"], first["held"]) == (
        PRODUCTS,
        "completed",
        "publish",
        False,
    )

    await seller.changes(gone=30, changed=5)
    held = await penstock("sync", "1")
    assert (held.code, held.err) == (8, "")
    assert held.out.startswith(
        "my shop: held, nothing was changed: 60 of 200 published products are missing, 30.0 %"
    )
    assert "See what would change with: penstock diff 'my shop'" in held.out
    assert await penstock.rows(_COUNTED) == [(PRODUCTS,)]

    shown, listed, asked = await asyncio.gather(
        penstock("diff", "my shop", "--kind", "gone", "--limit", "2"),
        penstock("accounts"),
        penstock("diff", "1", "--limit", "500", "--json"),
    )
    assert "! 60 of 200 published products are missing" in shown.out
    assert [line.split()[0] for line in shown.out.splitlines()[-2:]] == ["gone", "gone"]
    assert shown.err == "Showing 2 of 60; --limit 60 for all, --kind to filter\n"
    assert (
        " ".join(listed.out.splitlines()[0].split())
        == "id name seller products last sync (UTC) state"
    )
    assert listed.out.split()[-1] == "held"
    counts = asked.json["sync"]["counts"]
    assert len(asked.json["items"]) == counts["gone"] + counts["changed"] == 60 + counts["changed"]

    approved = await penstock("approve", asked.json["sync"]["task_id"], "--json")
    assert (approved.json["state"], approved.json["held"]) == ("published", False)
    assert await penstock.rows(_COUNTED) == [(PRODUCTS - 60,)]


@pytest.mark.parametrize(("answer", "left"), [("n", PRODUCTS), ("y", PRODUCTS - 60)])
async def test_on_a_terminal_approve_asks_before_it_removes_products(
    seller: Seller, answer: str, left: int
) -> None:
    await seller.synced()
    await seller.changes(gone=30, changed=0)
    assert (await seller.penstock("sync", "shop")).code == 8
    async with on_a_terminal(seller.penstock, "approve", "shop") as terminal:
        await terminal.shows(r"which removes 60 products\? \[y/N\]:")
        terminal.types(f"{answer}\n")
        assert await terminal.ended() == 0
    assert await seller.penstock.rows(_COUNTED) == [(left,)]


async def test_a_running_service_does_the_same_work(seller: Seller) -> None:
    penstock = seller.penstock
    async with penstock.serving() as service:
        added = await penstock.with_settings(cardtrader_token=TOKEN)(
            "accounts", "add", "shop", "--json"
        )
        assert (added.json["name"], added.json["user_id"]) == ("shop", 1001)
        synced = await penstock("sync", "shop")
        assert (synced.code, synced.out.splitlines()[0]) == (0, "shop: published")

        await seller.changes(changed=5)
        assert (await penstock("sync", "shop", "--dry-run", "--json")).json["counts"][
            "changed"
        ] == PRODUCTS // 20
        rejected = await penstock("reject", "shop")
        assert (rejected.code, rejected.out.endswith("nothing was published\n")) == (0, True)
        late = await penstock("approve", "shop")
        assert (late.code, late.complaint) == (5, "this sync was rejected; start a new one")

        cards = penstock.folder / "cards.csv"
        cards.write_text("sku,name\nA-1,Lightning Bolt\n", encoding="utf-8")
        assert (await penstock("catalog", "upload", str(cards), "--json")).json == {
            "rows": 1,
            "mapped": 0,
        }

        await seller.faults(_STOPS)
        async with on_a_terminal(penstock, "sync", "shop") as terminal:
            await terminal.shows(r"export +━.*MB")
            assert await terminal.ended(signal.SIGINT) == 130
        [task_id] = re.findall(
            r"the service continues it; see penstock watch (\S+),", terminal.text
        )
        await seller.faults()
        assert (await service.ended(task_id))["status"] == "completed"

        await seller.faults({"name": "html", "path": _EXPORT})
        failed = await penstock("sync", "shop")
        assert (failed.code, len(failed.complaint) > 20) == (3, True)
        removed = await penstock("accounts", "remove", "1", "--yes")
        assert (
            removed.out == f"deleted: account 1, shop, with {PRODUCTS} products and their history\n"
        )


async def test_a_dry_run_is_shown_product_by_product_and_approved_exactly_as_shown(
    seller: Seller,
) -> None:
    penstock = seller.penstock
    await seller.synced()
    await seller.changes(changed=2, fields=["price"])
    await seller.changes(new=2)
    await seller.synced(dry_run=True)
    shown, listed = await asyncio.gather(
        penstock("diff", "shop"), penstock("diff", "shop", "--json")
    )
    changed, new = (
        [row for row in listed.json["items"] if row["kind"] == kind] for kind in ("changed", "new")
    )
    assert len(changed) == len(new) == PRODUCTS // 50
    old, price = changed[0]["changes"]["price_cents"]
    [line] = [line for line in shown.out.splitlines() if str(changed[0]["product_id"]) in line]
    assert line.rstrip().endswith(
        f"price {old // 100}.{old % 100:02} EUR → {price // 100}.{price % 100:02} EUR"
    )
    assert (await penstock("approve", "shop")).code == 0
    number = changed[0]["product_id"]
    history, entries, found = await asyncio.gather(
        penstock("history", str(number)),
        penstock("history", str(number), "--json"),
        penstock("products", "shop", "--json", "--limit", "1000"),
    )
    assert [entry["changes"]["price_cents"] for entry in entries.json] == [[old, price]]
    assert f"price {old // 100}.{old % 100:02} EUR → " in history.out
    assert len(found.json) == PRODUCTS + len(new)
    assert [row["price_cents"] for row in found.json if row["product_id"] == number] == [price]


async def test_a_missing_token_or_file_is_reported_and_creates_no_database(seller: Seller) -> None:
    token = seller.penstock.folder / "token"
    token.write_text("demo and more", encoding="utf-8")
    penstock = seller.penstock.with_settings(
        database_url=f"sqlite:///{seller.penstock.folder}/new.db"
    )
    refused = await penstock.all_of(
        "accounts add shop",
        "accounts add shop --token-file nothing",
        f"accounts add shop --token-file {token}",
        "catalog upload nothing.csv",
    )
    expected = (
        "token: no token; set PENSTOCK_CARDTRADER_TOKEN",
        "--token-file: nothing",
        "--token-file: ",
        "FILE: nothing.csv",
    )
    for ended, complaint in zip(refused, expected, strict=True):
        assert (ended.code, ended.complaint.startswith(complaint)) == (2, True), ended.complaint
    assert not (penstock.folder / "new.db").exists()


async def test_on_postgresql_a_conflict_names_the_sync_of_the_other_process(
    penstock: Penstock, postgres_database: str
) -> None:
    async with a_seller(penstock, postgres_database) as seller:
        await seller.synced()
        async with seller.app() as app, app.dispatch.present():
            run = await app.ledger.start(await app.of(InventoryParts).runs.sync(1))
            refused, undecided = await seller.penstock.all_of("sync shop", f"approve {run.task_id}")
    assert (refused.code, refused.complaint) == (
        5,
        (
            f"Inventory sync already running: task {run.task_id} is syncing this account;"
            " wait for it, or cancel it"
        ),
    )
    assert (undecided.code, undecided.complaint) == (
        2,
        "this sync keeps nothing that could be decided; `penstock accounts` says how it is",
    )


async def test_missing_names_and_tokens_are_reported(seller: Seller) -> None:
    penstock = seller.penstock
    await seller.synced()
    sync, diff, remove = await penstock.all_of("sync nobody", "diff shop", "accounts remove shop")
    assert (sync.code, sync.complaint) == (
        2,
        "account: there is no account 'nobody'; there are 'shop'",
    )
    asked = await penstock("products", "-q", "Bolt\x07")
    assert (asked.code, asked.complaint) == (2, "-q: contains control characters; use plain text")
    assert (diff.code, diff.complaint) == (
        2,
        "this sync keeps no difference: it was published, decided, or replaced by a newer one",
    )
    assert (remove.code, "--yes" in remove.complaint) == (2, True)
    token = penstock.folder / "token"
    token.write_text("other\n", encoding="utf-8")
    edited = await penstock("accounts", "edit", "shop", "--token-file", str(token))
    assert edited.code == 2
    assert edited.complaint.startswith("token: this one belongs to another seller")
    assert (await penstock("accounts", "edit", "shop", "--name", "store", "--json")).json[
        "name"
    ] == "store"


async def test_an_unchanged_sync_succeeds_and_a_failed_one_exits_with_the_code_of_its_reason(
    seller: Seller,
) -> None:
    await seller.synced()
    same = await seller.penstock("sync", "shop")
    assert (same.code, same.err) == (0, "")
    assert same.out.startswith(f"shop: nothing changed, {PRODUCTS} products unchanged\n")
    await seller.faults({"name": "unauthorized", "path": _EXPORT})
    refused = await seller.penstock("sync", "shop")
    await seller.faults({"name": "cut", "path": _EXPORT, "at": 5_000})
    cut = await seller.penstock("sync", "shop")
    assert (refused.code, cut.code) == (3, 4), (refused.err, cut.err)
    assert refused.complaint
    assert cut.complaint
    assert await seller.penstock.rows(_COUNTED) == [(PRODUCTS,)]


async def test_ctrl_c_cancels_a_sync_of_this_process_and_nothing_is_published(
    seller: Seller,
) -> None:
    await seller.synced()
    await seller.changes(changed=50)
    await seller.faults(_STOPS)
    async with on_a_terminal(seller.penstock, "sync", "shop") as terminal:
        await terminal.shows(r"export +━.*MB")
        assert await terminal.ended(signal.SIGINT) == 130
    assert "cancelled: nothing was published" in terminal.text
    rows = await seller.penstock.rows("SELECT state FROM run ORDER BY id DESC LIMIT 1")
    assert rows == [("cancelled",)]
    assert await seller.penstock.rows("SELECT count(*) FROM product_history") == [(0,)]


@pytest.mark.parametrize("after_s", [0.0, 0.2])
@pytest.mark.parametrize("word", ["approve", "reject"])
async def test_ctrl_c_at_a_decision_says_whether_it_came_too_late(
    seller: Seller, capsys: pytest.CaptureFixture[str], word: str, after_s: float
) -> None:
    await seller.synced()
    await seller.changes(changed=50)
    task_id = (await seller.synced(dry_run=True))["task_id"]
    async with seller.app() as app, foreground(app) as here:
        # A decision that is being written is completed.
        busy, may_end = asyncio.Event(), threading.Event()
        loop = asyncio.get_running_loop()
        writing = asyncio.create_task(
            app.database.write(lambda _: (loop.call_soon_threadsafe(busy.set), may_end.wait()))
        )
        await busy.wait()
        deciding = asyncio.create_task(
            decided_on(ApiClient(InProcess(app, here), app.settings), task_id, word)
        )
        await asyncio.sleep(after_s)
        deciding.cancel()
        may_end.set()
        with contextlib.suppress(asyncio.CancelledError):
            await deciding
        await writing
        state = await app.database.read(
            lambda c: Inventories(c, app.settings).sync(task_id)["state"]
        )
    late = f"cancelled too late: it is {state}"
    said = "cancelled: nothing is decided" if state == "dry_run" else late
    assert capsys.readouterr().err == f"{said}\n"


@pytest.mark.parametrize("columns", [80, 200])
async def test_the_bar_and_tables_of_a_sync_are_never_wider_than_the_terminal(
    seller: Seller, columns: int
) -> None:
    penstock = replace(seller.penstock, columns=columns)
    await seller.synced()
    await seller.changes(gone=30, changed=20)
    await seller.faults(_STOPS)
    async with on_a_terminal(penstock, "sync", "shop") as terminal:
        await terminal.shows(r"export +━.*MB +\d+ rows .*s left")
        await seller.faults()
        assert await terminal.ended() == 8
    assert max(len(line.rstrip()) for line in terminal.lines if "━" in line) <= columns
    assert "penstock approve shop" in terminal.text
    for command in ("diff shop", "accounts"):
        async with on_a_terminal(penstock, *command.split()) as terminal:
            assert await terminal.ended() == 0
        assert max(len(line.rstrip()) for line in terminal.lines) <= columns, command
        assert "…" not in terminal.text.replace('…"', "")


async def test_the_token_is_asked_for_on_a_terminal_and_not_shown(seller: Seller) -> None:
    async with on_a_terminal(seller.penstock, "accounts", "add", "shop") as terminal:
        await terminal.shows("CardTrader API token")
        await terminal.hides_what_is_typed()
        terminal.types("demo\n")
        assert await terminal.ended() == 0
    assert "demo" not in terminal.text
    async with on_a_terminal(seller.penstock, "accounts", "remove", "shop") as terminal:
        await terminal.shows("Delete account 1, shop, with 0 products and their history")
        terminal.types("n\n")
        assert await terminal.ended() == 0
    assert "nothing was deleted" in terminal.text
    assert await seller.penstock.rows("SELECT name FROM account") == [("shop",)]


async def test_an_uploaded_card_list_maps_blueprints_without_a_sync(seller: Seller) -> None:
    await seller.synced()
    [(number, name)] = await seller.penstock.rows(
        "SELECT blueprint_id, name_en FROM product ORDER BY name_en, account_id, product_id LIMIT 1"
    )
    async with seller.app() as app:
        known = BlueprintRow(
            id=number,
            game_id=1,
            category_id=1,
            expansion_id=1,
            name=name,
            set_code="neo",
            collector_number="007",
        )
        await SqlBlueprints().put_blueprints(unfenced(app.database), [known])
    cards = seller.penstock.folder / "cards.json"
    cards.write_text(
        json.dumps([{"sku": "A-1", "set_code": "NEO", "collector_number": 7}]), encoding="utf-8"
    )
    uploaded = await seller.penstock("catalog", "upload", str(cards))
    assert (uploaded.code, uploaded.out) == (
        0,
        "1 row in your list, 1 blueprint mapped to it\n",
    )
    products, unmapped = await seller.penstock.all_of(
        "products --json --limit 1", "unmapped shop --json --limit 1000"
    )
    assert [(row["blueprint_id"], row["sku"]) for row in products.json] == [(number, "A-1")]
    mapped = await seller.penstock.rows(
        f"SELECT count(*) FROM product WHERE blueprint_id = {number}"
    )
    assert sum(blueprint["products"] for blueprint in unmapped.json) == PRODUCTS - mapped[0][0]
    assert number not in {blueprint["blueprint_id"] for blueprint in unmapped.json}
