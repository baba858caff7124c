"""A held snapshot or dry run changes nothing, can be read, and is applied exactly or dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import strategies as st

from penstock.errors import ConflictError, InvalidInputError, NotFoundError
from penstock.inventory.queries.accounts import list_accounts
from penstock.inventory.queries.syncs import SyncQueries, list_diff, sync_row
from penstock.inventory.tables import STAGED
from penstock.runs.queries import RunQueries
from tests.examples import try_examples
from tests.shop_builders import NEVER_SHRUNK, Shop, counted, expected, opened_shop, product_of

if TYPE_CHECKING:
    from penstock.inventory.product import Product
    from penstock.inventory.queries.syncs import SyncRun
    from tests.conftest import Say
    from tests.trials import Trials

_MANY = (6, 50)
exports = st.lists(
    st.builds(product_of, st.integers(1, 10), quantity=st.integers(0, 3)),
    max_size=8,
    unique_by=lambda entry: entry.id,
)


async def diff(
    shop: Shop, run_id: int, *, page: int = 2, kind: str | None = None
) -> list[tuple[str, int, int, dict[str, object]]]:
    """The whole difference, read page by page."""
    found: list[tuple[str, int, int, dict[str, object]]] = []
    while True:
        after = (found[-1][0], found[-1][1]) if found else None
        rows = await shop.opened.database.read(
            lambda connection, after=after: list_diff(
                connection, run_id, kind=kind, after=after, limit=page
            )  # type: ignore[misc]
        )
        if not rows:
            return found
        assert len(rows) <= page
        found += [(row.kind, row.product_id, row.quantity, row.changes) for row in rows]


def test_a_kept_difference_is_applied_exactly(database_url: str, trials: Trials, say: Say) -> None:
    async def check(before: list[Product], after: list[Product]) -> None:
        async with opened_shop(database_url) as shop:
            await shop.sync(before)
            kept = await shop.sync(after, keep=True)
            assert await shop.published() == expected(before)
            assert await shop.inventory.approve(kept.run.id) == kept.counts
            assert await shop.published() == expected(after)
            again = await shop.sync(after)
            assert set(counted(again.counts)) <= {"unchanged"}

    try_examples(trials, say, _MANY, check, exports, exports)


async def test_a_dry_run_of_a_first_import_can_be_approved(database_url: str) -> None:
    export = [product_of(number) for number in range(1, 6)]
    async with opened_shop(database_url) as shop:
        tried = await shop.sync(export, keep=False)
        assert await shop.products() == {}
        assert [row[:2] for row in await diff(shop, tried.run.id)] == [
            ("new", number) for number in range(1, 6)
        ]
        await shop.inventory.approve(tried.run.id)
        assert await shop.published() == expected(export)
        assert (await shop.products())[1]["condition"] == "Near Mint"
        assert await shop.history() == []


async def test_a_staged_sync_is_compared_with_a_snapshot_approved_meanwhile(
    database_url: str,
) -> None:
    async with opened_shop(database_url) as shop:
        tried = await shop.sync([product_of(1), product_of(2)], keep=True)
        run = await shop.opened.run()
        async with shop.inventory.staging(shop.opened.context(run), shop.account) as staging:
            await staging.add(
                [product_of(2, quantity=9), product_of(3, properties={"condition": "Poor"})]
            )
            await shop.inventory.approve(tried.run.id)
            comparison = await staging.compare(NEVER_SHRUNK)
            await staging.publish(comparison)
        assert counted(comparison.counts) == {"new": 1, "changed": 1, "gone": 1}
        assert await shop.published() == expected(
            [product_of(2, quantity=9), product_of(3, properties={"condition": "Poor"})]
        )
        assert [(await shop.products())[number]["condition"] for number in (2, 3)] == [
            "Near Mint",
            "Poor",
        ]


async def test_the_difference_is_paged_and_contains_the_old_values(database_url: str) -> None:
    async with opened_shop(database_url) as shop:
        await shop.sync([product_of(1), product_of(2), product_of(3), product_of(4)])
        await shop.sync([product_of(1), product_of(2), product_of(3)])
        kept = await shop.sync(
            [product_of(1, quantity=1), product_of(3), product_of(4), product_of(5)], keep=True
        )
        assert await diff(shop, kept.run.id) == [
            ("changed", 1, 1, {"quantity": [4, 1]}),
            ("gone", 2, 4, {}),
            ("new", 5, 4, {}),
            ("returned", 4, 4, {}),
        ]
        assert [row[1] for row in await diff(shop, kept.run.id, kind="new")] == [5]
        with pytest.raises(InvalidInputError, match="kind"):
            await diff(shop, kept.run.id, kind="lost")
        await shop.inventory.approve(kept.run.id)
        noted = {(row["kind"], row["product_id"]) for row in await shop.history(kept.run)}
        assert noted == {("changed", 1), ("gone", 2), ("new", 5), ("returned", 4)}
        row = await shop.opened.run_row(kept.run)
        assert (row["inserted"], row["updated"], row["unchanged"]) == (1, 3, 1)


async def test_a_difference_is_not_applied_to_another_snapshot(database_url: str) -> None:
    async with opened_shop(database_url) as shop:
        await shop.sync([product_of(1)])
        kept = await shop.sync([product_of(2)], keep=True)
        await shop.opened.change("UPDATE snapshot SET state = 'published' WHERE state = 'held'")
        other = await shop.sync([product_of(1)], keep=True)
        await shop.opened.change("UPDATE snapshot SET base_id = :base WHERE state = 'held'", base=0)
        with pytest.raises(ConflictError, match="has changed since"):
            await shop.inventory.approve(other.run.id)
        assert set(await shop.published()) == {1}
        with pytest.raises(ConflictError, match="published already"):
            await shop.inventory.approve(kept.run.id)


@pytest.mark.parametrize("newer", [None, True, False])
async def test_a_newer_sync_replaces_a_kept_difference(
    database_url: str, newer: bool | None
) -> None:
    async with opened_shop(database_url) as shop:
        await shop.sync([product_of(1)])
        kept = await shop.sync([product_of(2)], keep=True)
        await shop.sync([product_of(1)], keep=newer)
        for decide in (shop.inventory.approve, shop.inventory.reject):
            with pytest.raises(ConflictError, match="newer sync"):
                await decide(kept.run.id)
        with pytest.raises(NotFoundError):
            await diff(shop, kept.run.id)
        assert set(await shop.published()) == {1}
        assert await shop.opened.value("SELECT count(*) AS n FROM product_diff") == 0


async def test_a_rejected_difference_is_dropped_permanently(database_url: str) -> None:
    async with opened_shop(database_url) as shop:
        await shop.sync([product_of(1)])
        kept = await shop.sync([product_of(2)], keep=True)
        await shop.inventory.reject(kept.run.id)
        for decide in (shop.inventory.approve, shop.inventory.reject):
            with pytest.raises(ConflictError, match="was rejected"):
                await decide(kept.run.id)
        with pytest.raises(NotFoundError, match="this sync keeps nothing that could be decided"):
            await shop.inventory.approve(10**6)
        assert await shop.opened.value("SELECT count(*) AS n FROM product_diff") == 0
        assert set(await shop.published()) == {1}


async def test_the_first_row_of_a_repeated_id_is_kept(database_url: str) -> None:
    async with opened_shop(database_url) as shop:
        kept = await shop.sync(
            [
                product_of(1, quantity=1),
                product_of(2),
                product_of(1, quantity=2),
                product_of(1, quantity=3),
            ],
            keep=True,
        )
        assert counted(kept.counts) == {"new": 2}
        await shop.inventory.approve(kept.run.id)
        assert {number: row["quantity"] for number, row in (await shop.published()).items()} == {
            1: 1,
            2: 4,
        }


async def test_the_newest_sync_of_an_account_is_none_before_the_first(database_url: str) -> None:
    syncs = SyncQueries(RunQueries(listed_s=300, stuck_after_s=1_800))
    async with opened_shop(database_url) as shop:

        async def newest() -> SyncRun | None:
            return await shop.opened.database.read(
                lambda connection: syncs.newest(connection, shop.account.id)
            )

        assert await newest() is None
        await shop.sync([product_of(1)], run=await shop.begun())
        run = await shop.begun()
        submitted = await newest()
        assert submitted is not None
        assert (submitted.run.id, submitted.account_id) == (run.id, shop.account.id)
        assert submitted.begun is None
        await shop.sync([product_of(1, quantity=1)], run=run, keep=True)
        held = await newest()
        assert held is not None
        assert held.begun is not None
        assert (held.run.id, held.begun.state, held.begun.changed) == (run.id, "held", 1)


async def test_the_reader_shows_a_sync_and_its_account(database_url: str) -> None:
    async with opened_shop(database_url) as shop:
        assert await shop.opened.database.read(lambda connection: sync_row(connection, 1)) is None
        await shop.sync([product_of(1)])
        kept = await shop.sync([product_of(1, quantity=1)], keep=True)
        row = await shop.opened.database.read(lambda connection: sync_row(connection, kept.run.id))
        assert row is not None
        assert (row.run_id, row.state, row.changed, row.unchanged) == (kept.run.id, "held", 1, 0)
        [account] = await shop.opened.database.read(list_accounts)
        assert (account.id, account.user_id, account.products) == (shop.account.id, 77, 1)
        assert not hasattr(account, "token")
        assert set(STAGED) <= set((await shop.products())[1])
