"""Accounts and syncs over HTTP, with a simulated marketplace behind the service."""

from __future__ import annotations

import asyncio
import logging
import uuid
from typing import TYPE_CHECKING

from tests.api.seller import HELD_UP, OTHER, PRODUCTS, TOKEN, seller

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

SYNC = {
    "task_id",
    "status",
    "phase",
    "progress",
    "bytes",
    "rows",
    "rows_per_second",
    "eta_seconds",
    "counts",
    "error",
    "started_at",
    "finished_at",
}
COUNTS = {"new", "changed", "unchanged", "gone", "returned", "rejected", "unmapped"}


async def test_an_account_is_added_listed_changed_and_deleted(
    database_url: str, tmp_path: Path
) -> None:
    async with seller(database_url, tmp_path, work=False) as shop:
        [account] = (await shop.get("/accounts"))["items"]
        assert (account["name"], account["products"], account["published_at"]) == ("shop", 0, None)
        assert account["user_id"] == 1001
        status, changed = await shop.call(
            "PUT", f"/accounts/{shop.account_id}", {"name": "  second shop "}
        )
        assert (status, changed) == (200, account | {"name": "second shop"})
        assert await shop.call("PUT", f"/accounts/{shop.account_id}", {}) == (200, changed)
        assert await shop.call("PUT", f"/accounts/{shop.account_id}", {"token": TOKEN}) == (
            200,
            changed,
        )
        assert await shop.get(f"/accounts/{shop.account_id}") == changed
        assert await shop.call("DELETE", f"/accounts/{shop.account_id}") == (204, None)
        assert (await shop.get("/accounts")) == {"items": [], "next_cursor": None}
        for method, body in (
            ("GET", None),
            ("PUT", {"name": "x"}),
            ("PUT", {"token": TOKEN}),
            ("DELETE", None),
        ):
            status, problem = await shop.call(method, f"/accounts/{shop.account_id}", body)
            assert (status, problem["code"]) == (404, "not_found"), method


WRONG_ACCOUNTS: list[tuple[object, str]] = [
    ({"token": TOKEN}, "name"),
    ({"name": "x"}, "token"),
    ({"name": "", "token": TOKEN}, "name"),
    ({"name": "  ", "token": TOKEN}, "name"),
    ({"name": "x" * 51, "token": TOKEN}, "name"),
    ({"name": "a\0b", "token": TOKEN}, "name"),
    ({"name": None, "token": TOKEN}, "name"),
    ({"name": "x", "token": ""}, "token"),
    ({"name": "x", "token": "not the one"}, "token"),
    ({"name": "x", "token": "unknown"}, "token"),
    ({"name": "x", "token": "a\0b"}, "token"),
    ({"name": "x", "token": "x" * 9_000}, "token"),
    ({"name": "x", "token": TOKEN, "id": 7}, "id"),
    ([], "body"),
]


async def test_a_bad_request_adds_no_account(
    sqlite_database: str, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    async with seller(sqlite_database, tmp_path, work=False) as shop:
        for body, field in WRONG_ACCOUNTS:
            with subtests.test(repr(body)[:80]):
                status, problem = await shop.call("POST", "/accounts", body)
                assert (status, problem["code"], problem["field"]) == (422, "invalid_input", field)
                assert len((await shop.get("/accounts"))["items"]) == 1


async def test_a_taken_account_name_and_a_token_of_another_seller_are_refused(
    database_url: str, tmp_path: Path
) -> None:
    async with seller(database_url, tmp_path, work=False) as shop:
        status, problem = await shop.call("POST", "/accounts", {"name": " shop", "token": OTHER})
        assert (status, problem["code"]) == (409, "conflict")
        status, problem = await shop.call("PUT", f"/accounts/{shop.account_id}", {"token": OTHER})
        assert (status, problem["field"]) == (422, "token")
        assert "another seller" in problem["detail"]
        assert (await shop.get(f"/accounts/{shop.account_id}"))["user_id"] == 1001


async def test_an_account_id_that_cannot_exist_is_refused_naming_the_field(
    sqlite_database: str, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    async with seller(sqlite_database, tmp_path, work=False) as shop:
        for account_id in (0, -1, 2**31, 2**70, "one", "%00"):
            for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/sync"), ("POST", "/sync")):
                with subtests.test(f"{method} {account_id}{path}"):
                    status, problem = await shop.call(method, f"/accounts/{account_id}{path}")
                    assert (status, problem["field"]) == (422, "account_id"), path


async def test_no_answer_and_no_log_shows_a_token(
    sqlite_database: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with seller(sqlite_database, tmp_path) as shop:
        answers = [
            await shop.call("GET", "/accounts"),
            await shop.call("GET", f"/accounts/{shop.account_id}"),
        ]
        answers += [
            await shop.call("POST", "/accounts", {"name": name, "token": OTHER})
            for name in ("shop", "two", "x" * 60)
        ]
        answers += [await shop.call("POST", "/accounts", {"name": "three", "token": f"{OTHER} "})]
        answers += [
            await shop.call("POST", "/accounts", {"name": "three", "token": f"{OTHER}-wrong"})
        ]
        await shop.service.exchange.faults(
            {"name": "unauthorized", "path": "/api/v2/products/export"}
        )
        answers += [(200, await shop.ended(await shop.start()))]
        assert answers[-1][1]["status"] == "failed"
        answers += [(200, await shop.service.get("/api/v1/admin/data-collection/execution-logs"))]
        assert [status for status, _ in answers] == [200, 200, 409, 201, 422, 422, 422, 200, 200]
    for secret in (TOKEN, OTHER):
        assert secret not in repr(answers)
        assert secret not in caplog.text


async def test_a_sync_from_its_start_to_its_end(database_url: str, tmp_path: Path) -> None:
    async with seller(database_url, tmp_path) as shop:
        status, answer = await shop.call("POST", f"/accounts/{shop.account_id}/sync")
        assert (status, answer["status"], answer["message"]) == (
            202,
            "submitted",
            "Inventory sync submitted",
        )
        assert str(uuid.UUID(answer["task_id"])) == answer["task_id"]
        sync = await shop.ended(answer["task_id"])
        assert sync.keys() >= SYNC
        assert sync["counts"].keys() == COUNTS
        assert (sync["status"], sync["phase"], sync["progress"], sync["rows"], sync["error"]) == (
            "completed",
            "publish",
            100,
            PRODUCTS,
            None,
        )
        assert (sync["counts"]["new"], sync["state"], sync["held"], sync["dry_run"]) == (
            PRODUCTS,
            "published",
            False,
            False,
        )
        assert sync["bytes"] > PRODUCTS * 100
        assert sync["created_at"] <= sync["started_at"] <= sync["finished_at"]
        assert (
            sync["message"]
            == sync["result"]["message"]
            == f"Published: {PRODUCTS} new, 0 unchanged"
        )
        assert await shop.get(f"/accounts/{shop.account_id}/sync") == sync
        task = await shop.service.task(sync["task_id"])
        assert (task["task_type"], task["status"], task["result"]) == (
            "inventory_sync",
            "completed",
            sync["result"],
        )
        [account] = (await shop.get("/accounts"))["items"]
        assert (account["products"], account["published_at"] is None) == (PRODUCTS, False)


async def test_a_queued_sync_is_shown_as_the_newest(database_url: str, tmp_path: Path) -> None:
    async with seller(database_url, tmp_path, work=False) as shop:
        status, problem = await shop.call("GET", f"/accounts/{shop.account_id}/sync")
        assert (status, problem["code"]) == (404, "not_found")
        task_id = await shop.start(dry_run=True)
        sync = await shop.get(f"/syncs/{task_id}")
        assert (
            sync["status"],
            sync["phase"],
            sync["progress"],
            sync["account_id"],
            sync["dry_run"],
        ) == ("pending", None, 0, shop.account_id, True)
        assert sync["counts"] == dict.fromkeys(COUNTS, 0)
        assert (sync["state"], sync["held"], sync["started_at"]) == (None, False, None)
        assert await shop.get(f"/accounts/{shop.account_id}/sync") == sync
        assert (await shop.service.call("POST", f"/task/{task_id}/cancel"))[0] == 200
        assert (await shop.get(f"/accounts/{shop.account_id}/sync"))["status"] == "cancelled"


async def test_during_an_active_sync_a_second_one_is_refused_or_waits(
    database_url: str, tmp_path: Path
) -> None:
    async with seller(database_url, tmp_path) as shop:
        await shop.service.exchange.faults(HELD_UP)
        first = await shop.start()
        running = await shop.service.until(
            lambda: shop.get(f"/syncs/{first}"), lambda sync: sync["phase"]
        )
        assert (running["status"], running["phase"]) == ("running", "export")
        status, problem = await shop.call(
            "POST", f"/accounts/{shop.account_id}/sync", {"dry_run": True}
        )
        assert (status, problem["code"], problem["task_id"]) == (409, "conflict", first)
        assert problem["detail"].startswith("Inventory sync already running: task ")
        status, problem = await shop.call("DELETE", f"/accounts/{shop.account_id}")
        assert (status, problem["code"]) == (409, "conflict")
        second = await shop.start(wait=True)
        assert (await shop.get(f"/accounts/{shop.account_id}/sync"))["task_id"] == second
        await shop.service.exchange.faults()
        await shop.service.call("POST", f"/task/{first}/cancel")
        assert (await shop.ended(first))["status"] == "cancelled"
        assert (await shop.ended(second))["status"] == "completed"


async def test_requests_with_the_same_key_give_the_same_sync(
    database_url: str, tmp_path: Path
) -> None:
    async with seller(database_url, tmp_path, work=False) as shop:
        path = f"/accounts/{shop.account_id}/sync"
        answers = await asyncio.gather(
            *(shop.call("POST", path, **{"Idempotency-Key": "monday"}) for _ in range(5))
        )
        assert {status for status, _ in answers} == {202}
        assert len({answer["task_id"] for _, answer in answers}) == 1
        status, problem = await shop.call(
            "POST", path, {"dry_run": True}, **{"Idempotency-Key": "monday"}
        )
        assert (status, problem["field"]) == (422, "Idempotency-Key")


async def test_a_failed_sync_gives_its_reason_and_is_the_newest(
    sqlite_database: str, tmp_path: Path
) -> None:
    async with seller(sqlite_database, tmp_path) as shop:
        await shop.synced()
        await shop.service.exchange.faults(
            {"name": "unauthorized", "path": "/api/v2/products/export"}
        )
        failed = await shop.ended(await shop.start())
        assert (failed["status"], failed["state"], failed["eta_seconds"]) == ("failed", None, None)
        assert "HTTP 401" in failed["error"]
        assert await shop.get(f"/accounts/{shop.account_id}/sync") == failed
        assert len((await shop.get("/products?limit=1000"))["items"]) == PRODUCTS


async def test_a_task_that_is_not_a_sync_is_not_found(sqlite_database: str, tmp_path: Path) -> None:
    async with seller(sqlite_database, tmp_path, work=False) as shop:
        _, refresh = await shop.service.call("POST", "/refresh-symbols")
        for task_id in (refresh["task_id"], str(uuid.UUID(int=7))):
            for method, path in (
                ("GET", ""),
                ("GET", "/diff"),
                ("POST", "/approve"),
                ("POST", "/reject"),
            ):
                status, problem = await shop.call(method, f"/syncs/{task_id}{path}")
                assert (status, problem["code"]) == (404, "not_found"), path
        assert (await shop.call("GET", "/syncs/seven"))[1]["field"] == "task_id"
        for path in ("/accounts/7/sync", "/accounts/7"):
            assert (await shop.call("GET", path))[0] == 404
        assert (await shop.call("POST", "/accounts/7/sync"))[0] == 404
        for body in ({"dry_run": "perhaps"}, {"wait": 7}, {"dryrun": True}):
            status, problem = await shop.call("POST", f"/accounts/{shop.account_id}/sync", body)
            assert (status, [problem["field"]]) == (422, list(body))


async def test_the_metrics_count_products_and_candles_separately(
    sqlite_database: str, tmp_path: Path
) -> None:
    async with seller(sqlite_database, tmp_path) as shop:
        await shop.synced()
        async with shop.service.session.get("/metrics") as answer:
            metrics = await answer.text()
    assert f'penstock_products_written_total{{change="inserted"}} {PRODUCTS:.1f}' in metrics
    assert 'penstock_candles_written_total{change="inserted"} 0.0' in metrics
    assert 'penstock_runs_total{kind="inventory_sync",status="completed"} 1.0' in metrics
    assert 'penstock_run_duration_seconds_count{kind="inventory_sync"} 1.0' in metrics
