"""Exports with bad rows, suspicious exports, and exports of a seller who sells meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from penstock.errors import ConflictError, NotFoundError
from tests.faults.sellers import PRODUCTS, Fault, edited
from tests.faults.unlisted import nothing_to_look_up
from tests.seller_builders import KeptShop, Rows, differing, kept_shop, simulated_seller

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize(
    ("kind", "reason"),
    [("malformed", "malformed"), ("missing_id", "malformed"), ("broken_json", "unreadable")],
)
async def test_a_bad_row_is_quarantined_and_without_an_id_no_product_is_marked_as_gone(
    shop: KeptShop, kind: str, reason: str
) -> None:
    before, after = await edited(shop)
    bad = list(after)[170]
    await shop.seller.faults({"name": "bad_products", "kind": kind, "row": 170})
    run = await shop.sync()
    assert (run["state"], run["result"]["held"], run["rejected"]) == ("succeeded", False, 1)
    counts = run["result"]["counts"]
    missing = before.keys() - after.keys()
    assert missing
    gone = missing if kind == "malformed" else set()
    assert (
        counts["rejected"],
        counts["gone"],
        "nothing is marked as gone" in run["result"]["unread"],
    ) == (1, len(gone), not gone)
    [refused] = await shop.rows(
        "SELECT reason, detail, raw, product_id FROM product_quarantine WHERE run_id = :run",
        run=run["id"],
    )
    assert (refused["reason"], refused["product_id"] in {bad, None}) == (reason, True)
    assert after[bad]["name_en"][:5] in refused["raw"]
    assert refused["detail"]
    readable = {number: row for number, row in after.items() if number != bad}
    await shop.check(
        {number: product for number, product in (before | readable).items() if number not in gone}
    )


_STRANGE: dict[str, tuple[Fault, set[str]]] = {
    "an id twice": ({"kind": "duplicate", "row": 17}, {"duplicate_id"}),
    "another currency": ({"kind": "currency"}, {"currency"}),
    "some of another currency": ({"kind": "currency", "percent": 5}, {"currency"}),
    "30 percent fewer": ({"kind": "fewer"}, {"shrunk"}),
    "another seller": ({"kind": "another_seller"}, {"other_seller"}),
    "some of another seller": ({"kind": "another_seller", "percent": 1}, {"other_seller"}),
    "nothing": ({"kind": "empty"}, {"empty", "shrunk"}),
}
strange = pytest.mark.parametrize(("twist", "reasons"), _STRANGE.values(), ids=_STRANGE.keys())


async def held(
    shop: KeptShop, twist: Fault, reasons: set[str]
) -> tuple[dict[str, Any], Rows, Rows]:
    """A held sync, the published rows, and the rows of the export."""
    before, _ = await edited(shop)
    await shop.seller.faults({"name": "bad_products"} | twist)
    run = await shop.sync()
    result = run["result"]
    assert (run["state"], run["attempt"], result["held"], set(result["suspicions"])) == (
        "succeeded",
        1,
        True,
        reasons,
    )
    assert result["message"] == f"Held: {' '.join(result['suspicions'].values())}"
    shown = await shop.shows(run)
    assert (shown.state, set(shown.suspicions)) == ("held", reasons)
    await shop.check(before)
    assert shop.left() == []
    return run, before, await shop.seller.sent()


async def check_diff(shop: KeptShop, run: dict[str, Any], before: Rows, after: Rows) -> None:
    """Assert that the kept difference leads from the first rows to the second."""
    applied, counts = dict(before), dict.fromkeys(("new", "changed", "gone", "returned"), 0)
    for row in await shop.diff(run):
        counts[row.kind] += 1
        values = {name: getattr(row, name) for name in next(iter(before.values()))}
        if row.kind == "gone":
            assert applied.pop(row.product_id) == values
            continue
        was = applied.get(row.product_id, {})
        assert (row.product_id in before) == (row.kind == "changed")
        assert all(
            value == [was[name], values[name]]
            for name, value in row.changes.items()
            if row.kind == "changed" and name in was
        )
        applied[row.product_id] = values
    assert differing(applied, after) == {}
    assert counts == {name: run["result"]["counts"][name] for name in counts}


@strange
async def test_a_suspicious_export_is_held_can_be_read_and_is_published_on_approval(
    shop: KeptShop, twist: Fault, reasons: set[str]
) -> None:
    run, before, after = await held(shop, twist, reasons)
    await check_diff(shop, run, before, after)
    await shop.store.approve(run["id"])
    await shop.check(after)
    assert (await shop.shows(run)).state == "published"
    with pytest.raises(ConflictError, match="published already"):
        await shop.store.approve(run["id"])


some_strange = pytest.mark.parametrize(
    ("twist", "reasons"),
    [_STRANGE["an id twice"], _STRANGE["30 percent fewer"]],
    ids=["duplicate", "fewer"],
)


@some_strange
async def test_a_rejected_sync_changes_nothing(
    shop: KeptShop, twist: Fault, reasons: set[str]
) -> None:
    run, before, _ = await held(shop, twist, reasons)
    await shop.store.reject(run["id"])
    await shop.check(before)
    assert (await shop.shows(run)).state == "rejected"
    with pytest.raises(ConflictError, match="was rejected"):
        await shop.store.approve(run["id"])


@some_strange
async def test_a_newer_sync_replaces_a_held_one(
    shop: KeptShop, twist: Fault, reasons: set[str]
) -> None:
    run, before, _ = await held(shop, twist, reasons)
    newer = await shop.sync(dry_run=True)
    assert (newer["result"]["held"], set(newer["result"]["suspicions"])) == (False, reasons)
    await shop.check(before)
    for decide in (shop.store.approve, shop.store.reject):
        with pytest.raises(ConflictError, match="newer sync"):
            await decide(run["id"])
    with pytest.raises(NotFoundError):
        await shop.diff(run)
    assert (await shop.shows(run)).state == "superseded"


@pytest.mark.parametrize("kind", ["duplicate", "another_seller"])
async def test_a_suspicious_first_import_is_held_too(
    database_url: str, tmp_path: Path, kind: str
) -> None:
    async with (
        simulated_seller(PRODUCTS) as seller,
        kept_shop(database_url, seller, tmp_path / "exports") as shop,
    ):
        await nothing_to_look_up(shop.app, seller)
        await seller.faults({"name": "bad_products", "kind": kind})
        run = await shop.sync()
        assert run["result"]["held"]
        assert await shop.published() == {}
        await shop.store.approve(run["id"])
        await shop.check(await seller.sent())
        assert await shop.rows("SELECT * FROM product_history") == []
        await seller.faults()
        await shop.sync()
        await shop.check(await seller.rows())


async def test_stock_sold_during_an_export_is_published_as_sent_and_corrected_by_the_next_sync(
    database_url: str, tmp_path: Path
) -> None:
    async with (
        simulated_seller(PRODUCTS) as seller,
        kept_shop(database_url, seller, tmp_path / "exports") as shop,
    ):
        await nothing_to_look_up(shop.app, seller)
        await shop.sync()
        await seller.faults({"name": "sold", "percent": 30, "count": 1})
        run = await shop.sync()
        early, late = await seller.rows(1), await seller.rows(2)
        second_half = list(early)[PRODUCTS // 2 :]
        mixed = {number: row for number, row in early.items() if number not in second_half}
        assert differing(early, late) != {}
        # Sold-out products are missing; this few may be.
        assert not run["result"]["held"], run["result"]
        await shop.check(mixed | {number: late[number] for number in second_half if number in late})
        await shop.sync()
        await shop.check(late)


@pytest.mark.parametrize("percent", [0.5, 20, 100])
async def test_only_changes_between_two_exports_are_written(shop: KeptShop, percent: float) -> None:
    before = await shop.published()
    version = await shop.seller.advance(changed=percent, returned=50)
    after = await shop.seller.rows(version)
    changed = {number for number in before if before[number] != after[number]}
    returned = after.keys() - before.keys()
    counts = (run := await shop.sync())["result"]["counts"]
    assert (counts["changed"], counts["returned"] + counts["new"], counts["gone"]) == (
        len(changed),
        len(returned),
        0,
    )
    noted = await shop.rows(
        "SELECT product_id FROM product_history WHERE run_id = :run", run=run["id"]
    )
    assert {row["product_id"] for row in noted} == changed | returned
    await shop.check(after)
