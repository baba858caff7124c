"""Catalogue refreshes: a separate run looks up published blueprints once and maps them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from penstock.domains.inventory import InventoryParts
from penstock.foreground import foreground
from penstock.inventory.catalogue.refresh import CATALOGUE_REFRESH
from penstock.inventory.catalogue.rows import CatalogueRow
from penstock.runs.run import Submission
from tests.engine.syncing import Seller, seller_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

BLUEPRINTS = "/api/v2/blueprints/export"
DOWN = {"name": "server_error", "code": 502, "path": BLUEPRINTS}
STRANGE = 999_999_999
# So few products that some expansions have none.
PRODUCTS = 20
# Blueprints of the first expansion, identified by the ids of another shop.
CARDS = [
    CatalogueRow(sku=f"sku {number}", tcgplayer_id=str(100_000 + number))
    for number in range(1_005, 1_055)
]


@pytest.fixture
async def seller(database_url: str, tmp_path: Path) -> AsyncIterator[Seller]:
    async with seller_of(
        database_url, tmp_path, products=PRODUCTS, request_attempts=1, run_attempts=1
    ) as seller:
        yield seller


async def asked(seller: Seller) -> int:
    """The number of expansions whose blueprints were requested."""
    async with seller.session.get(f"{seller.url}/simulator/requests?limit=10000") as response:
        return sum(request["path"] == BLUEPRINTS for request in (await response.json())["newest"])


async def break_expansions(seller: Seller, *faults: dict[str, Any]) -> None:
    async with seller.session.put(f"{seller.url}/simulator/faults", json=list(faults)) as response:
        assert response.status == 200, await response.text()


async def refreshes(seller: Seller) -> list[dict[str, Any]]:
    """The results of all refreshes, in order."""
    rows = await seller.rows(
        "SELECT task_id, state FROM run WHERE kind = 'catalogue_refresh' ORDER BY id"
    )
    return [{"state": row["state"]} | await seller.result(row["task_id"]) for row in rows]


async def one_number(seller: Seller, query: str) -> int:
    [row] = await seller.rows(f"SELECT ({query}) AS number")
    return int(row["number"])


async def refer_to_a_strange_blueprint(seller: Seller) -> None:
    """Give the seller a product of a blueprint that CardTrader does not list."""
    columns = [row["name"] for row in await seller.rows(_COLUMNS[seller.app.database.file is None])]
    given = {"product_id": "1", "blueprint_id": str(STRANGE)}
    values = ", ".join(given.get(name, name) for name in columns)
    copied = f"SELECT {values} FROM product ORDER BY product_id LIMIT 1"
    copy = f"INSERT INTO product ({', '.join(columns)}) {copied}"
    await seller.app.database.write(lambda connection: connection.exec_driver_sql(copy))


_COLUMNS = {
    False: "SELECT name FROM pragma_table_info('product')",
    True: "SELECT column_name AS name FROM information_schema.columns"
    " WHERE table_name = 'product' AND table_schema = 'public'",
}


async def published(seller: Seller) -> None:
    """Submit a refresh as the end of a sync does."""
    await seller.app.of(InventoryParts).refreshes.published(
        seller.app.ledger, await seller.app.of(InventoryParts).store.account(seller.account_id)
    )
    await seller.until_idle()


async def test_new_blueprints_are_looked_up_and_a_second_sync_requests_nothing(
    seller: Seller,
) -> None:
    await seller.synced()
    [refreshed] = await refreshes(seller)
    stocked = await one_number(seller, "SELECT count(DISTINCT blueprint_id / 1000) FROM product")
    assert stocked < await one_number(seller, "SELECT count(*) FROM expansion"), (
        "expansions without products are not requested"
    )
    assert (
        refreshed["state"],
        refreshed["expansions"],
        refreshed["failed"],
        refreshed["unknown"],
    ) == ("succeeded", stocked, 0, 0)
    assert refreshed["games"] == await one_number(seller, "SELECT count(*) FROM game") == 5
    assert refreshed["blueprints"] == await one_number(seller, "SELECT count(*) FROM blueprint")
    assert (
        await one_number(
            seller,
            "SELECT count(*) FROM product p LEFT JOIN blueprint b ON b.id = p.blueprint_id"
            " WHERE b.id IS NULL",
        )
        == 0
    )
    before = await asked(seller)
    assert before == stocked
    await seller.synced()
    assert (await asked(seller), len(await refreshes(seller))) == (before, 1)
    [run] = await seller.rows(
        "SELECT message, progress, priority, job_name FROM run WHERE kind = 'catalogue_refresh'"
    )
    assert run == {
        "message": f"Looked up {stocked} of {stocked} expansions",
        "progress": 100,
        "priority": 5,
        "job_name": "refresh_catalogue",
    }
    query = (
        "SELECT symbol, exchange, records_collected, status FROM job_execution_logs"
        " WHERE job_type = 'catalogue_refresh'"
    )
    logged = {
        "symbol": "shop",
        "exchange": "cardtrader",
        "records_collected": refreshed["blueprints"],
        "status": "success",
    }
    assert await seller.rows(query) == [logged]


async def test_the_users_catalogue_is_mapped_when_uploaded_before_or_after_the_refresh(
    seller: Seller,
) -> None:
    assert await seller.app.of(InventoryParts).catalogue.put_catalogue(CARDS) == 0
    await seller.synced()
    [refreshed] = await refreshes(seller)
    numbered = (
        "SELECT count(*) FROM blueprint WHERE id BETWEEN 1005 AND 1054 AND tcgplayer_id IS NOT NULL"
    )
    assert 0 < refreshed["mapped"] == await one_number(seller, numbered)
    assert (
        await seller.app.of(InventoryParts).catalogue.put_catalogue(CARDS[:20])
        < refreshed["mapped"]
    )
    code = await seller.rows("SELECT set_code, collector_number FROM blueprint WHERE id = 1005")
    by_number = CatalogueRow(
        sku="printed", set_code=code[0]["set_code"], collector_number=code[0]["collector_number"]
    )
    assert await seller.app.of(InventoryParts).catalogue.put_catalogue([by_number]) == 1


async def test_an_unlisted_id_is_requested_again_only_after_a_day(seller: Seller) -> None:
    await seller.synced()
    await refer_to_a_strange_blueprint(seller)
    await published(seller)
    first, second = await refreshes(seller)
    assert (second["unknown"], second["expansions"]) == (1, first["expansions"])
    before = await asked(seller)
    await published(seller)
    assert (len(await refreshes(seller)), await asked(seller)) == (2, before)
    ago = "86400000" if seller.app.database.file else "interval '1 day'"
    await seller.app.database.write(
        lambda connection: connection.exec_driver_sql(
            f"UPDATE unlisted_blueprint SET asked_at = asked_at - {ago}"
        )
    )
    await published(seller)
    assert len(await refreshes(seller)) == 3


async def test_a_failed_expansion_is_counted_and_only_that_one_is_requested_again(
    seller: Seller,
) -> None:
    await break_expansions(seller, DOWN | {"after": 5, "count": 1})
    with capture_logs() as logs:
        await seller.synced()
    [refreshed] = await refreshes(seller)
    assert (refreshed["state"], refreshed["failed"]) == ("succeeded", 1)
    assert refreshed["unknown"] > 0
    assert (
        len(
            [
                line
                for line in logs
                if line["event"] == "the blueprints of an expansion cannot be looked up"
            ]
        )
        == 1
    )
    before = await asked(seller)
    await seller.synced()
    assert await asked(seller) == before + 1
    assert (await refreshes(seller))[1]["unknown"] == 0


async def test_when_every_expansion_fails_the_refresh_fails_but_not_the_sync(
    seller: Seller,
) -> None:
    await break_expansions(seller, DOWN)
    assert (await seller.synced())["message"].startswith("Published")
    [refreshed] = await refreshes(seller)
    assert refreshed["state"] == "failed"
    assert await asked(seller) == 4, (
        "not all seven expansions are requested while the provider is down"
    )
    await break_expansions(seller)
    await seller.synced()
    assert (await refreshes(seller))[1]["unknown"] == 0


async def test_a_sync_succeeds_while_a_refresh_is_active(seller: Seller) -> None:
    other = Submission(
        kind="catalogue_refresh",
        params={"account_id": seller.account_id},
        resources=["catalogue:cardtrader"],
    )
    await seller.app.ledger.start(other)
    task_id = await seller.submit()
    await seller.until_ended(task_id)
    [row] = await seller.rows("SELECT state FROM run WHERE task_id = :task_id", task_id=task_id)
    assert row["state"] == "succeeded"
    assert len(await seller.rows("SELECT id FROM run WHERE kind = 'catalogue_refresh'")) == 1


async def test_a_held_sync_and_a_dry_run_look_nothing_up(seller: Seller) -> None:
    await seller.synced(dry_run=True)
    assert await refreshes(seller) == []


async def test_a_process_without_workers_runs_its_own_refresh(
    database_url: str, tmp_path: Path
) -> None:
    async with (
        seller_of(database_url, tmp_path, work=False, products=PRODUCTS) as seller,
        foreground(seller.app) as here,
    ):
        await here.outcome(
            await here.submit(await seller.app.of(InventoryParts).runs.sync(seller.account_id))
        )
        assert [
            state["state"]
            for state in await seller.rows("SELECT state FROM run WHERE kind = 'catalogue_refresh'")
        ] == ["queued"]
        await here.work_off()
        assert [(result["state"], result["unknown"]) for result in await refreshes(seller)] == [
            ("succeeded", 0)
        ]


async def test_a_refresh_left_queued_by_another_process_runs_after_the_next_sync(
    database_url: str, tmp_path: Path
) -> None:
    async with (
        seller_of(database_url, tmp_path, work=False, products=PRODUCTS) as seller,
        foreground(seller.app) as here,
    ):
        account = {"account_id": seller.account_id, "account": "shop"}
        await seller.app.ledger.submit(
            Submission(kind=CATALOGUE_REFRESH, params=account, resources=["catalogue:cardtrader"])
        )
        await here.outcome(
            await here.submit(await seller.app.of(InventoryParts).runs.sync(seller.account_id))
        )
        assert here.has_more
        await here.work_off()
        assert [(result["state"], result["unknown"]) for result in await refreshes(seller)] == [
            ("succeeded", 0)
        ]
