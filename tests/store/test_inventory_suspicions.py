"""Suspicious exports, and rows that cannot be read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from penstock.inventory.product import Product, RejectedRow
from penstock.inventory.snapshot import SyncLimits
from penstock.store.write.quarantine import MOST_KEPT
from tests.shop_builders import SELLER, counted, expected, opened_shop, product_of

if TYPE_CHECKING:
    from tests.shop_builders import Shop


@pytest.mark.parametrize(
    ("export", "reason", "says"),
    [
        ([], "empty", "10 are published"),
        (
            [product_of(number) for number in range(1, 7)],
            "shrunk",
            "4 of 10 published products are missing, 40.0 %",
        ),
        (
            [product_of(number, user_id=5 if number == 3 else SELLER) for number in range(1, 11)],
            "other_seller",
            "products of another seller than user .*: 1, such as of user 5",
        ),
        (
            [*(product_of(number) for number in range(1, 11)), product_of(4)],
            "duplicate_id",
            "product ids that come more than once: 1, such as 4",
        ),
        (
            [product_of(number, price_currency="USD") for number in range(1, 11)],
            "currency",
            "10 prices are in USD; the published ones are in EUR",
        ),
    ],
)
async def test_a_suspicious_export_is_described(
    database_url: str, export: list[Product], reason: str, says: str
) -> None:
    async with opened_shop(database_url) as shop:
        published = [product_of(number) for number in range(1, 11)]
        await shop.sync(published)
        held = await shop.sync(export, keep=True, limits=SyncLimits())
        assert reason in held.comparison.suspicions
        assert re.search(says, held.comparison.suspicions[reason])
        assert await shop.published() == expected(published)


async def test_an_export_without_a_readable_row_is_not_a_first_import(database_url: str) -> None:
    refused = [
        RejectedRow(reason="malformed", detail="expected int", raw=f'{{"id":{number}}}')
        for number in range(1, 3)
    ]
    async with opened_shop(database_url) as shop:
        held = await shop.sync([], rejected=refused, keep=True)
        assert held.comparison.suspicions == {
            "empty": "none of the 2 rows of the export can be read"
        }
        assert (await shop.sync([])).comparison.suspicions == {}


@pytest.mark.parametrize(("left", "suspicious"), [(27, False), (26, True)])
async def test_a_few_missing_products_are_not_suspicious(
    database_url: str, left: int, suspicious: bool
) -> None:
    async with opened_shop(database_url) as shop:
        await shop.sync([product_of(number) for number in range(1, 31)])
        sync = await shop.sync(
            [product_of(number) for number in range(1, left + 1)], keep=True, limits=SyncLimits()
        )
        assert bool(sync.comparison.suspicions) == suspicious


async def test_a_rejected_row_with_a_readable_id_counts_as_present_and_missing_ids_as_gone(
    database_url: str,
) -> None:
    refused = RejectedRow(
        reason="price_cents",
        detail="expected int",
        raw='{"id":3,"price_cents":"x\0"}',
        product_id=3,
    )
    async with opened_shop(database_url) as shop:
        await shop.sync([product_of(number) for number in range(1, 6)])
        sync = await shop.sync(
            [product_of(1), product_of(2, quantity=9)],
            rejected=[refused, refused],
            limits=SyncLimits(),
        )
        assert counted(sync.counts) == {"changed": 1, "unchanged": 1, "gone": 2, "rejected": 2}
        assert sync.comparison.suspicions == {}
        assert set(await shop.published()) == {1, 2, 3}
        assert (await shop.published())[3] == expected([product_of(3)])[3]
        [row] = await shop.opened.rows(
            "SELECT reason, raw, product_id, seen FROM product_quarantine"
        )
        assert (row["reason"], row["product_id"], row["seen"]) == ("price_cents", 3, 2)
        assert counted((await shop.sync([product_of(1), product_of(2, quantity=9)])).counts) == {
            "unchanged": 2,
            "gone": 1,
        }


async def test_of_any_number_of_bad_rows_a_bounded_number_is_kept(database_url: str) -> None:
    def bad(first: int, count: int) -> list[RejectedRow]:
        return [
            RejectedRow("malformed", "x" * 9_000, f"{number} {'☃' * 9_000}", number)
            for number in range(first, first + count)
        ]

    async with opened_shop(database_url) as shop:
        run = await shop.begun()
        async with shop.inventory.staging(shop.opened.context(run), shop.account) as staging:
            # In several pages, and the run then fails.
            for first in (1, 701, 1_401, 2_101):
                await staging.refuse(bad(first, 700))
        kept = await _kept(shop)
        assert [row["product_id"] for row in kept] == list(range(1, MOST_KEPT + 1))
        assert max(len(row["raw"]) + len(row["detail"]) for row in kept) <= 2_500
        synced = await shop.sync([product_of(1)], rejected=bad(5_001, 300))
        assert synced.counts.rejected == 300
        assert [row["product_id"] for row in await _kept(shop)] == [
            *range(301, MOST_KEPT + 1),
            *range(5_001, 5_301),
        ]


async def _kept(shop: Shop) -> list[dict[str, Any]]:
    return await shop.opened.rows(
        "SELECT product_id, raw, detail FROM product_quarantine ORDER BY id"
    )


async def test_with_an_unreadable_id_no_product_is_marked_as_gone_and_the_sync_says_so(
    database_url: str,
) -> None:
    unidentified = RejectedRow(reason="malformed", detail="expected int", raw='{"id":null}')
    refused = RejectedRow(
        reason="malformed", detail="expected int", raw='{"id":3,"name_en":null}', product_id=3
    )
    async with opened_shop(database_url) as shop:
        await shop.sync([product_of(number) for number in range(1, 6)])
        sync = await shop.sync(
            [product_of(1)], rejected=[unidentified, refused], limits=SyncLimits()
        )
        assert counted(sync.counts) == {
            "unchanged": 1,
            "rejected": 2,
            "unidentified": 1,
            "unmarked": 4,
        }
        assert (
            sync.counts.unread
            == "2 rows could not be read, 1 without an id: nothing is marked as gone,"
            " 4 missing products kept as before"
        )
        assert len(await shop.published()) == 5
        # Missing products are known again once all ids can be read.
        assert counted((await shop.sync([product_of(1)], rejected=[refused])).counts) == {
            "unchanged": 1,
            "gone": 3,
            "rejected": 1,
        }


async def test_an_unreadable_row_does_not_return_a_gone_product(
    sqlite_database: str,
) -> None:
    refused = RejectedRow(
        reason="malformed", detail="expected int", raw='{"id":2,"name_en":null}', product_id=2
    )
    async with opened_shop(sqlite_database) as shop:
        await shop.sync([product_of(1), product_of(2)])
        await shop.sync([product_of(1)])
        for rows in ([refused], [refused, refused]):
            assert counted((await shop.sync([product_of(1)], rejected=rows)).counts) == {
                "unchanged": 1,
                "rejected": len(rows),
            }
        assert set(await shop.published()) == {1}
