"""Differences of dry runs and held syncs, and decisions on them, over HTTP."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from penstock.api.server import ServeOptions
from tests.api.seller import PRODUCTS, seller

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

GONE = PRODUCTS * 33 // 100


async def test_a_dry_run_shows_what_a_sync_would_change(database_url: str, tmp_path: Path) -> None:
    async with seller(database_url, tmp_path) as shop:
        await shop.synced()
        await shop.edit(changed=1, new=1, gone=1)
        dry = await shop.synced(dry_run=True)
        assert (dry["state"], dry["held"], dry["dry_run"], dry["result"]["dry_run"]) == (
            "dry_run",
            False,
            True,
            True,
        )
        counts = {kind: dry["counts"][kind] for kind in ("new", "changed", "gone", "returned")}
        assert counts == {"new": 6, "changed": 6, "gone": 6, "returned": 0}
        items = await shop.pages(f"/syncs/{dry['task_id']}/diff?limit=4")
        assert Counter(item["kind"] for item in items) == {"new": 6, "changed": 6, "gone": 6}
        assert [(item["kind"], item["product_id"]) for item in items] == sorted(
            (item["kind"], item["product_id"]) for item in items
        )
        for item in items:
            assert {
                type(item[name])
                for name in ("product_id", "blueprint_id", "quantity", "price_cents")
            } == {int}
            assert isinstance(item["properties"], dict)
            assert isinstance(item["uploaded_images"], list)
        changed = await shop.pages(f"/syncs/{dry['task_id']}/diff?kind=changed")
        assert changed == [item for item in items if item["kind"] == "changed"]
        for item in changed:
            for column, (old, new) in item["changes"].items():
                assert (item[column], old) == (new, old)
                assert old != new
        published = await shop.synced()
        assert published["counts"] == dry["counts"] | {"unmapped": published["counts"]["unmapped"]}
        status, problem = await shop.call("GET", f"/syncs/{dry['task_id']}/diff")
        assert (status, problem["code"]) == (404, "not_found")
        assert (await shop.get(f"/syncs/{dry['task_id']}"))["state"] == "superseded"


async def test_a_held_sync_changes_nothing_until_it_is_approved(
    database_url: str, tmp_path: Path
) -> None:
    async with seller(database_url, tmp_path) as shop:
        held = await shop.shrunk()
        assert (
            held["status"],
            held["state"],
            held["result"]["held"],
            list(held["suspicions"]),
        ) == ("completed", "held", True, ["shrunk"])
        assert held["message"].startswith("Held: ")
        assert len(await shop.pages(f"/products?account={shop.account_id}&limit=250")) == PRODUCTS
        status, approved = await shop.call("POST", f"/syncs/{held['task_id']}/approve")
        assert (status, approved["state"], approved["held"], approved["counts"]) == (
            200,
            "published",
            False,
            held["counts"],
        )
        assert approved["message"] == "Approved and published"
        assert await shop.get(f"/accounts/{shop.account_id}/sync") == approved
        assert len(await shop.pages("/products?limit=250")) == PRODUCTS - GONE
        for decision in ("approve", "reject"):
            status, problem = await shop.call("POST", f"/syncs/{held['task_id']}/{decision}")
            assert (status, problem["code"]) == (409, "conflict")
            assert "published already" in problem["detail"]


async def test_a_decision_that_takes_long_is_answered_before_its_end(
    sqlite_database: str, tmp_path: Path
) -> None:
    options = ServeOptions(ping_s=600, decision_s=0.0)
    async with seller(sqlite_database, tmp_path, options=options) as shop:
        held = await shop.shrunk()
        status, answer = await shop.call("POST", f"/syncs/{held['task_id']}/approve")
        assert (status, answer["task_id"]) == (202, held["task_id"])
        await shop.service.until(
            lambda: shop.get(f"/syncs/{held['task_id']}"), lambda sync: sync["state"] == "published"
        )
        assert len(await shop.pages("/products?limit=250")) == PRODUCTS - GONE


async def test_a_rejected_sync_leaves_the_inventory_as_it_was(
    sqlite_database: str, tmp_path: Path
) -> None:
    async with seller(sqlite_database, tmp_path) as shop:
        held = await shop.shrunk()
        status, rejected = await shop.call("POST", f"/syncs/{held['task_id']}/reject")
        assert (status, rejected["state"], rejected["held"]) == (200, "rejected", False)
        assert len(await shop.pages("/products?limit=250")) == PRODUCTS
        status, problem = await shop.call("POST", f"/syncs/{held['task_id']}/approve")
        assert (status, problem["code"]) == (409, "conflict")
        assert (await shop.call("GET", f"/syncs/{held['task_id']}/diff"))[0] == 404


async def test_a_sync_replaced_by_a_newer_one_cannot_be_approved(
    sqlite_database: str, tmp_path: Path
) -> None:
    async with seller(sqlite_database, tmp_path) as shop:
        held = await shop.shrunk()
        newer = await shop.synced()
        assert newer["held"]
        status, problem = await shop.call("POST", f"/syncs/{held['task_id']}/approve")
        assert (status, problem["code"]) == (409, "conflict")
        assert "newer sync" in problem["detail"]
        assert (await shop.call("POST", f"/syncs/{newer['task_id']}/approve"))[0] == 200


WRONG_DIFFERENCES = [
    ("kind=odd", "kind"),
    ("cursor=new:99999999999999999999", "cursor"),
    ("cursor=new:9999999999999999999", "cursor"),
    ("cursor=odd:1", "cursor"),
    ("cursor=new:1%00", "cursor"),
    ("limit=0", "limit"),
    ("limit=100000000000000000000", "limit"),
    ("skip=1", "skip"),
]


async def test_a_bad_request_for_a_difference_names_the_field(
    sqlite_database: str, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    async with seller(sqlite_database, tmp_path, work=False) as shop:
        task_id = await shop.start()
        for query, field in WRONG_DIFFERENCES:
            with subtests.test(query):
                status, problem = await shop.call("GET", f"/syncs/{task_id}/diff?{query}")
                assert (status, problem["code"], problem["field"]) == (422, "invalid_input", field)
