"""An inventory is always one whole snapshot, equal to the export; only differences are written."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import strategies as st

from penstock.errors import ConflictError, FencedError, NotFoundError, StoreUnavailableError
from penstock.inventory.pace import Phase, SyncProgress
from penstock.inventory.product import Product, RejectedRow
from penstock.inventory.snapshot import SyncLimits
from penstock.runs.run import RunEnd, RunState
from penstock.store.sqlite.staging import discard_stages
from tests.examples import try_examples
from tests.shop_builders import (
    NEVER_SHRUNK,
    SELLER,
    Shop,
    counted,
    expected,
    opened_shop,
    product_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.conftest import Say
    from tests.trials import Trials

texts = (
    st.none()
    | st.text(max_size=6)
    | st.sampled_from(
        [
            "",
            "\\",
            "\\N",
            "a\tb",
            "a\nb",
            "\r",
            "None",
            "'",
            '"',
            "\x1f",
            "\x1e",
            "{}",
            "é",
            "🂡",
            "\x01",
        ]
    )
)
offered = st.builds(
    product_of,
    st.integers(1, 12) | st.just(2**63 - 1),
    name_en=st.text(max_size=6),
    quantity=st.integers(0, 3),
    price_cents=st.integers(0, 3) | st.just(2**62),
    blueprint_id=st.integers(1, 3),
    bundled_quantity=st.none() | st.integers(0, 2),
    description=texts,
    user_data_field=texts,
    tag=texts,
    graded=st.sampled_from([None, True, False, 0, 1, 9, 9.5, "PSA 9.5", "a\x1f\x1eb"]),
    properties=st.sampled_from(
        [
            {},
            {"condition": "Played", "mtg_foil": True},
            {"pokemon_language": "zh-TW", "x": "\\u0000 \u2028 \t"},
        ]
    ),
    uploaded_images=st.sampled_from(
        [msgspec.Raw(b"[]"), msgspec.Raw(b'["a\\/b.jpg"]'), msgspec.Raw(b'["\\ud800"]')]
    ),
)
exports = st.lists(
    st.lists(offered, max_size=8, unique_by=lambda one: one.id), min_size=2, max_size=5
)
_MANY = (8, 60)
_KEPT_AS = str.maketrans(dict.fromkeys("\x1f\x1e\0", "\N{REPLACEMENT CHARACTER}"))


def cleaned(rows: dict[int, dict[str, Any]]) -> dict[int, dict[str, Any]]:
    """Without the three signs that PostgreSQL is not given."""
    return {
        number: {
            name: value.translate(_KEPT_AS) if isinstance(value, str) else value
            for name, value in row.items()
        }
        for number, row in rows.items()
    }


def test_after_any_edits_the_table_equals_the_export_and_the_history_read_back_gives_former_ones(
    database_url: str, trials: Trials, say: Say
) -> None:
    async def check(history: list[list[Product]], page: int) -> None:
        async with opened_shop(database_url) as shop:
            runs = []
            for export in history:
                runs.append((await shop.sync(export, page=page)).run)
                assert cleaned(await shop.published()) == cleaned(expected(export))
            now = await shop.published()
            gone = {
                number: row
                for number, row in (await shop.products()).items()
                if row["gone_at"] is not None
            }
            for run, before in zip(reversed(runs[1:]), reversed(history[:-1]), strict=True):
                _undo(now, gone, await shop.history(run))
                assert cleaned(now) == cleaned(expected(before))
            assert await shop.history(runs[0]) == []

    try_examples(trials, say, _MANY, check, exports, st.sampled_from([3, 1_000]))


def _undo(
    now: dict[int, dict[str, Any]],
    gone: dict[int, dict[str, Any]],
    changes: Sequence[dict[str, Any]],
) -> None:
    """Take back what one run did."""
    for change in changes:
        number = change["product_id"]
        if change["kind"] == "gone":
            now[number] = {name: gone[number][name] for name in product_columns()}
            continue
        row = now.pop(number)
        row |= {name: old for name, (old, _) in change["changes"].items()}
        if change["kind"] == "changed":
            now[number] = row
        elif change["kind"] == "returned":
            gone[number] = row


def product_columns() -> list[str]:
    return list(expected([product_of()])[1])


async def test_the_same_export_twice_writes_no_product_row(database_url: str) -> None:
    export = [
        product_of(number, description=[None, "", "text"][number % 3]) for number in range(1, 200)
    ]
    async with opened_shop(database_url) as shop:
        first = await shop.sync(export)
        await _count_writes(shop)
        again = await shop.sync(list(reversed(export)))
        assert counted(first.counts) == {"new": 199}
        assert counted(again.counts) == {"unchanged": 199}
        assert await shop.opened.value("SELECT count(*) AS n FROM product_write") == 0
        assert await shop.history() == []
        row = await shop.opened.run_row(again.run)
        assert (row["inserted"], row["updated"], row["unchanged"]) == (0, 0, 199)
        await shop.sync([product_of(1, price_cents=5), *export[1:]])
        assert await shop.opened.value("SELECT count(*) AS n FROM product_write") == 1


async def _count_writes(shop: Shop) -> None:
    await shop.opened.change("CREATE TABLE product_write (product_id bigint)")
    if shop.opened.database.file:
        for event in ("INSERT", "UPDATE"):
            body = "INSERT INTO product_write VALUES (NEW.product_id);"
            await shop.opened.change(
                f"CREATE TRIGGER count_{event} AFTER {event} ON product BEGIN {body} END"
            )
        return
    await shop.opened.change(
        "CREATE FUNCTION count_write() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN INSERT INTO product_write VALUES (NEW.product_id); RETURN NULL; END $$"
    )
    await shop.opened.change(
        "CREATE TRIGGER count_write AFTER INSERT OR UPDATE ON product"
        " FOR EACH ROW EXECUTE FUNCTION count_write()"
    )


async def test_new_changed_gone_and_returned_products_are_told_apart(database_url: str) -> None:
    async with opened_shop(database_url) as shop:
        await shop.sync([product_of(1), product_of(2), product_of(3)])
        second = await shop.sync(
            [product_of(1, price_cents=250, tag=""), product_of(2), product_of(4)]
        )
        assert counted(second.counts) == {"new": 1, "changed": 1, "unchanged": 1, "gone": 1}
        noted = {
            (row["product_id"], row["kind"]): row["changes"]
            for row in await shop.history(second.run)
        }
        assert noted == {
            (1, "changed"): {"price_cents": [199, 250], "tag": [None, ""]},
            (3, "gone"): {},
            (4, "new"): {},
        }
        third = await shop.sync(
            [
                product_of(1, price_cents=250, tag=""),
                product_of(2),
                product_of(3, quantity=1),
                product_of(4),
            ]
        )
        assert counted(third.counts) == {"returned": 1, "unchanged": 3}
        rows = await shop.products()
        assert rows[3]["gone_at"] is None
        assert {
            number: (row["first_seen_run"], row["changed_run"]) for number, row in rows.items()
        }[3][1] == third.run.id
        assert rows[1]["external_stock_id"] == "1"


_NOT_READ_YET = [
    [],
    [product_of(number, properties={"condition": "Sealed"}) for number in range(2, 10)],
    [],
]


@pytest.mark.parametrize(
    "before",
    [_NOT_READ_YET[:0], _NOT_READ_YET[:1], _NOT_READ_YET[:2], _NOT_READ_YET],
    ids=["first", "new", "changed", "returned"],
)
async def test_properties_are_read_whatever_the_game_calls_them(
    database_url: str, before: list[list[Product]]
) -> None:
    """Sealed goods have none; a pair that is no JSON for a database costs only its own value."""
    async with opened_shop(database_url) as shop:
        for export in before:
            await shop.sync(export)
        await shop.sync(
            [
                product_of(
                    1,
                    properties={
                        "condition": "Played",
                        "mtg_language": "de",
                        "mtg_foil": True,
                        "signed": True,
                        "altered": False,
                    },
                ),
                product_of(
                    2,
                    properties={
                        "condition": "Mint",
                        "pokemon_language": "zh-TW",
                        "pokemon_foil": False,
                    },
                    game_id=5,
                ),
                product_of(3, properties={}, game_id=7),
                product_of(4, properties={"language": "fr", "foil": 1}, game_id=8),
                product_of(5, properties_hash=msgspec.Raw(b'{"condition":"Poor","x":"\\u00e9"}')),
            ]
        )
        read = {
            number: (row["condition"], row["language"], row["foil"], row["signed"], row["altered"])
            for number, row in (await shop.products()).items()
            if row["gone_at"] is None
        }
    assert read == {
        1: ("Played", "de", True, True, False),
        2: ("Mint", "zh-TW", False, None, None),
        3: (None, None, None, None, None),
        4: (None, "fr", True, None, None),
        5: ("Poor", None, None, None, None),
    }


async def test_more_differences_than_are_read_at_once_are_all_published_and_noted(
    database_url: str,
) -> None:
    """The differences come in pages of 5,000 rows."""
    first = [product_of(number, description="a\\\n\x1f\tb") for number in range(1, 8_001)]
    later = [
        product_of(
            number, quantity=7, properties={"condition": f"\x1e\\{number}\n", "mtg_language": "de"}
        )
        for number in range(2_001, 14_001)
    ]
    async with opened_shop(database_url) as shop:
        await shop.sync(first, page=5_000)
        synced = await shop.sync(later, page=5_000)
        assert counted(synced.counts) == {"new": 6_000, "changed": 6_000, "gone": 2_000}
        assert await shop.published() == expected(later)
        rows = {
            number: row for number, row in (await shop.products()).items() if row["gone_at"] is None
        }
        kept = {
            number: row["condition"].replace("\N{REPLACEMENT CHARACTER}", "\x1e")
            for number, row in rows.items()
        }
        assert kept == {number: f"\x1e\\{number}\n" for number in range(2_001, 14_001)}
        assert Counter(note["kind"] for note in await shop.history(synced.run)) == counted(
            synced.counts
        )


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
async def test_what_cannot_be_believed_is_said(
    database_url: str, export: list[Product], reason: str, says: str
) -> None:
    async with opened_shop(database_url) as shop:
        published = [product_of(number) for number in range(1, 11)]
        await shop.sync(published)
        held = await shop.sync(export, keep=True, limits=SyncLimits())
        assert reason in held.comparison.suspicions
        assert re.search(says, held.comparison.suspicions[reason])
        assert await shop.published() == expected(published)


async def test_an_export_of_which_nothing_can_be_read_is_no_first_import(database_url: str) -> None:
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
async def test_a_few_missing_products_are_no_suspicion(
    database_url: str, left: int, suspicious: bool
) -> None:
    async with opened_shop(database_url) as shop:
        await shop.sync([product_of(number) for number in range(1, 31)])
        one = await shop.sync(
            [product_of(number) for number in range(1, left + 1)], keep=True, limits=SyncLimits()
        )
        assert bool(one.comparison.suspicions) == suspicious


async def test_a_rejected_row_whose_id_can_be_read_is_there_and_what_else_is_missing_is_gone(
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
        one = await shop.sync(
            [product_of(1), product_of(2, quantity=9)],
            rejected=[refused, refused],
            limits=SyncLimits(),
        )
        assert counted(one.counts) == {"changed": 1, "unchanged": 1, "gone": 2, "rejected": 2}
        assert one.comparison.suspicions == {}
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


async def test_with_a_row_whose_id_cannot_be_read_nothing_is_gone_and_the_sync_says_so(
    database_url: str,
) -> None:
    unidentified = RejectedRow(reason="malformed", detail="expected int", raw='{"id":null}')
    refused = RejectedRow(
        reason="malformed", detail="expected int", raw='{"id":3,"name_en":null}', product_id=3
    )
    async with opened_shop(database_url) as shop:
        await shop.sync([product_of(number) for number in range(1, 6)])
        one = await shop.sync(
            [product_of(1)], rejected=[unidentified, refused], limits=SyncLimits()
        )
        assert counted(one.counts) == {
            "unchanged": 1,
            "rejected": 2,
            "unidentified": 1,
            "unmarked": 4,
        }
        assert (
            one.counts.unread
            == "2 rows could not be read, 1 without an id: nothing is marked as gone,"
            " 4 missing products kept as before"
        )
        assert len(await shop.published()) == 5
        # What is missing is known again once all ids can be read.
        assert counted((await shop.sync([product_of(1)], rejected=[refused])).counts) == {
            "unchanged": 1,
            "gone": 3,
            "rejected": 1,
        }


async def test_a_product_that_is_gone_does_not_come_back_by_a_row_that_cannot_be_read(
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


async def test_another_worker_that_has_the_run_ends_every_step_that_writes(
    database_url: str,
) -> None:
    async with opened_shop(database_url) as shop:
        run = await shop.opened.run()
        async with shop.inventory.staging(shop.opened.context(run), shop.account) as staging:
            await staging.add([product_of(1)])
            comparison = await staging.compare(NEVER_SHRUNK)
            await shop.opened.change("UPDATE run SET fence = fence + 1")
            for step in (
                staging.refuse([RejectedRow(reason="x", detail="", raw="")]),
                staging.publish(comparison),
                staging.keep(comparison, held=True),
                shop.inventory.progress(
                    shop.opened.context(run),
                    SyncProgress(phase=Phase.CHECK, percent=50, message="checking"),
                ),
            ):
                with pytest.raises(FencedError):
                    await step
        assert await shop.products() == {}
        assert await shop.opened.value("SELECT count(*) AS n FROM snapshot") == 0


async def test_two_syncs_of_one_base_publish_once(database_url: str) -> None:
    async with opened_shop(database_url) as shop:
        await shop.sync([product_of(1)])
        one, two = await shop.opened.run(), await shop.opened.run()
        async with (
            shop.inventory.staging(shop.opened.context(one), shop.account) as first,
            shop.inventory.staging(shop.opened.context(two), shop.account) as second,
        ):
            await first.add([product_of(1, quantity=1)])
            await second.add([product_of(1, quantity=2)])
            compared = await first.compare(NEVER_SHRUNK), await second.compare(NEVER_SHRUNK)
            await first.publish(compared[0])
            with pytest.raises(ConflictError, match="has changed since"):
                await second.publish(compared[1])
        assert (await shop.published())[1]["quantity"] == 1


async def test_a_snapshot_that_fails_half_way_leaves_nothing(database_url: str) -> None:
    async with opened_shop(database_url) as shop:
        await shop.sync([product_of(1), product_of(2)])
        run = await shop.opened.run()
        async with shop.inventory.staging(shop.opened.context(run), shop.account) as staging:
            await staging.add([product_of(1, quantity=1)])
            comparison = await staging.compare(NEVER_SHRUNK)
            # The last thing that a publication writes.
            await shop.opened.change("ALTER TABLE snapshot RENAME COLUMN taken_at TO lost_at")
            with pytest.raises(Exception, match="taken_at"):
                await staging.publish(comparison)
        assert await shop.published() == expected([product_of(1), product_of(2)])
        assert await shop.history() == []


async def test_a_staging_area_of_a_process_that_died_is_no_beginning(
    sqlite_database: str, tmp_path: Path
) -> None:
    async with opened_shop(sqlite_database) as shop:
        run = await shop.opened.run()
        left = tmp_path / f"penstock.db.stage-{run.id}"
        left.write_bytes(b"half a file")
        async with shop.inventory.staging(shop.opened.context(run), shop.account) as staging:
            await staging.add([product_of(1)])
            assert counted((await staging.compare(NEVER_SHRUNK)).counts) == {"new": 1}
        assert not left.exists()
        left.write_bytes(b"half a file")
        discard_stages(shop.opened.database)
        assert sorted(path.name for path in tmp_path.glob("*stage*")) == []


async def test_a_staging_area_that_was_lost_is_tried_again_not_published(
    postgres_database: str,
) -> None:
    async with opened_shop(postgres_database) as shop:
        run = await shop.opened.run()
        async with shop.inventory.staging(shop.opened.context(run), shop.account) as staging:
            await staging.add([product_of(1)])
            others = (
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            await shop.opened.rows(others)
            for _ in range(2):
                with pytest.raises(StoreUnavailableError):
                    await staging.compare(NEVER_SHRUNK)


async def test_progress_is_shown_and_is_a_heartbeat(database_url: str) -> None:
    async with opened_shop(database_url) as shop:
        run = await shop.opened.run()
        async with shop.inventory.staging(shop.opened.context(run), shop.account):
            shown = SyncProgress(
                phase=Phase.PARSE,
                percent=40,
                message="parsing",
                bytes=5,
                rows=7,
                rows_per_second=2.5,
                eta_seconds=None,
            )
            await shop.inventory.progress(shop.opened.context(run), shown)
        [row] = await shop.opened.rows(
            "SELECT account_id, phase, bytes, rows, rows_per_second, eta_seconds"
            " FROM inventory_sync"
        )
        assert tuple(row.values()) == (shop.account.id, "parse", 5, 7, 2.5, None)
        run_row = await shop.opened.run_row(run)
        assert (run_row["progress"], run_row["message"]) == (40, "parsing")
        await shop.opened.ledger.finish(run, RunEnd(state=RunState.SUCCEEDED))


async def test_a_token_is_sealed_and_an_account_goes_with_all_that_is_known_of_it(
    database_url: str,
) -> None:
    async with opened_shop(database_url) as shop:
        assert shop.account.token == "a token"
        assert await shop.opened.value("SELECT token FROM account") == "nekot a"
        await shop.sync([product_of(1)])
        await shop.sync([product_of(2)], keep=True)
        with pytest.raises(ConflictError, match="already"):
            await shop.accounts.add(shop.account.name, "x", 1)
        await shop.accounts.change(shop.account.id, token="another")
        assert (await shop.inventory.account(shop.account.id)).token == "another"
        await shop.accounts.delete(shop.account.id)
        for table in ("account", "product", "product_diff", "snapshot", "inventory_sync"):
            assert await shop.opened.value(f"SELECT count(*) AS n FROM {table}") == 0, table
        with pytest.raises(NotFoundError, match="there is no account"):
            await shop.inventory.account(shop.account.id)
