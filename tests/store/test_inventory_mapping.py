"""The user's own catalogue: blueprints map by the best reference; unmapped ones are listed."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event, select

from penstock.errors import InvalidInputError, NotFoundError
from penstock.inventory.catalogue.rows import BlueprintRow, CatalogueRow
from penstock.inventory.queries.catalogue import (
    list_blueprints,
    list_expansions,
    list_games,
    list_unmapped,
    unknown_blueprints,
)
from penstock.inventory.queries.products import (
    ProductQuery,
    list_history,
    list_products,
    product_key,
)
from penstock.inventory.source import Category, Expansion, Game, Property
from penstock.inventory.tables import catalogue
from penstock.store.write.inventory import card_list
from tests.shop_builders import Shop, opened_shop, product_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection, Row


def blueprint_of(number: int, **given: Any) -> BlueprintRow:
    return BlueprintRow(
        id=number, game_id=1, category_id=11, expansion_id=5, name=f"Card {number}", **given
    )


async def mapped(shop: Shop) -> dict[int, str]:
    rows = await shop.opened.database.read(
        lambda connection: list_blueprints(connection, limit=100)
    )
    return {row.id: row.sku for row in rows if row.sku}


async def skus(shop: Shop) -> set[str]:
    """Of all rows of the catalogue, also of those that are not in force."""
    return set(
        await shop.opened.database.read(
            lambda connection: connection.scalars(select(catalogue.c.sku)).all()
        )
    )


class Writes:
    """The numbers of rows that the transactions of a SQLite database change, from now on."""

    def __init__(self, shop: Shop) -> None:
        self.changes: list[int] = []
        self._before = 0
        event.listen(shop.opened.database.backend.writer, "begin", self._begin)
        event.listen(shop.opened.database.backend.writer, "commit", self._commit)

    @property
    def most(self) -> int:
        return max(self.changes)

    def _begin(self, connection: Connection) -> None:
        self._before = self._total(connection)

    def _commit(self, connection: Connection) -> None:
        self.changes.append(self._total(connection) - self._before)

    def _total(self, connection: Connection) -> int:
        driver: Any = connection.connection.driver_connection
        total: int = driver.total_changes
        return total


async def test_a_blueprint_is_mapped_by_the_best_reference(database_url: str) -> None:
    async with opened_shop(database_url) as shop:
        await shop.blueprints.put_blueprints(
            shop.context,
            [
                blueprint_of(1, scryfall_id="ABC-1", tcgplayer_id="20"),
                blueprint_of(2, tcgplayer_id="20", cardmarket_ids=["30", "31"]),
                blueprint_of(3, cardmarket_ids=["30", "31", "31"]),
                blueprint_of(4, set_code="NEO", collector_number="007"),
                blueprint_of(5, set_code="neo", collector_number="8"),
                blueprint_of(6),
            ],
        )
        rows = [
            CatalogueRow(sku="by-number", set_code=" neo ", collector_number="7"),
            CatalogueRow(sku="by-cardmarket", cardmarket_id="31"),
            CatalogueRow(sku="by-tcgplayer", tcgplayer_id="20"),
            CatalogueRow(sku="by-scryfall", scryfall_id="abc-1"),
            CatalogueRow(sku="a second one", scryfall_id="abc-1", cardmarket_id=" "),
        ]
        assert await shop.catalog.put_catalogue(rows) == 4
        assert await mapped(shop) == {
            1: "by-scryfall",
            2: "by-tcgplayer",
            3: "by-cardmarket",
            4: "by-number",
        }


def cards(name: str, count: int) -> list[CatalogueRow]:
    """Rows whose TCGplayer ids are their numbers."""
    return [
        CatalogueRow(sku=f"{name}{number}", tcgplayer_id=str(number))
        for number in range(1, count + 1)
    ]


async def test_others_write_and_read_the_old_catalogue_while_a_new_one_is_written(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(card_list, "_PAGE_ROWS", 10)
    async with opened_shop(database_url) as shop:
        await shop.blueprints.put_blueprints(
            shop.context, [blueprint_of(number, tcgplayer_id=str(number)) for number in (1, 95)]
        )
        assert await shop.catalog.put_catalogue(cards("old", 100)) == 2
        seen: list[dict[int, str]] = []
        written, ended = threading.Event(), asyncio.Event()

        async def write_beside() -> None:
            while not ended.is_set():
                await shop.blueprints.map(shop.context)
                seen.append(await mapped(shop))
                written.set()

        def rows() -> Iterator[CatalogueRow]:
            yield from cards("new", 50)
            # On SQLite this is in a page's transaction, for which the others wait.
            assert shop.opened.database.file or written.wait(60)
            yield from cards("new", 100)[50:]

        beside = asyncio.create_task(write_beside())
        assert await shop.catalog.put_catalogue(rows()) == 2
        ended.set()
        await beside
        old, new = {1: "old1", 95: "old95"}, {1: "new1", 95: "new95"}
        assert await mapped(shop) == new
        assert old in seen
        assert [one for one in seen if one not in (old, new)] == []
        # Nothing of the old one is left.
        assert await skus(shop) == {f"new{number}" for number in range(1, 101)}


async def test_an_upload_that_ends_early_changes_nothing_and_the_next_one_replaces_its_rows(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(card_list, "_PAGE_ROWS", 10)

    def broken() -> Iterator[CatalogueRow]:
        yield from cards("broken", 35)
        raise ZeroDivisionError

    async with opened_shop(database_url) as shop:
        await shop.blueprints.put_blueprints(
            shop.context, [blueprint_of(number, tcgplayer_id=str(number)) for number in (1, 2, 7)]
        )
        for name, count in (("a", 25), ("b", 5), ("c", 40)):
            with pytest.raises(ZeroDivisionError):
                await shop.catalog.put_catalogue(broken())
            before = await mapped(shop)
            assert await shop.blueprints.map(shop.context) == len(before)
            assert await mapped(shop) == before
            assert await shop.catalog.put_catalogue(cards(name, count)) == (3 if count > 7 else 2)
            assert await skus(shop) == {f"{name}{number}" for number in range(1, count + 1)}
            assert set((await mapped(shop)).values()) <= await skus(shop)


async def test_no_transaction_of_an_upload_writes_more_than_a_page_on_sqlite(
    sqlite_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(card_list, "_PAGE_ROWS", 10)
    async with opened_shop(sqlite_database) as shop:
        for name in ("old", "new"):
            writes = Writes(shop)
            await shop.catalog.put_catalogue(cards(name, 100))
            # A page has a row and a reference for each card; publishing replaces a mark.
            assert writes.most <= 22
            assert len(writes.changes) >= 10


async def test_a_new_catalogue_is_mapped_without_an_export(database_url: str) -> None:
    async with opened_shop(database_url) as shop:
        first = await shop.sync(
            [product_of(number, blueprint_id=1 + number % 2) for number in range(1, 6)]
        )
        assert first.counts.unmapped == 5
        assert await shop.opened.database.read(
            lambda connection: unknown_blueprints(connection, shop.account.id, limit=10)
        ) == [1, 2]
        await shop.blueprints.put_blueprints(
            shop.context, [blueprint_of(1, scryfall_id="a"), blueprint_of(2, scryfall_id="b")]
        )
        await shop.catalog.put_catalogue([CatalogueRow(sku="A", scryfall_id="a")])
        rows = await shop.opened.database.read(
            lambda connection: list_unmapped(connection, account_id=shop.account.id, limit=10)
        )
        assert [(row.blueprint_id, row.products) for row in rows] == [(2, 3)]
        assert (
            await shop.sync(
                [product_of(number, blueprint_id=1 + number % 2) for number in range(1, 6)]
            )
        ).counts.unmapped == 3
        await shop.catalog.put_catalogue([CatalogueRow(sku="B", scryfall_id="b")])
        assert await mapped(shop) == {2: "B"}
        await shop.blueprints.put_blueprints(
            shop.context, [blueprint_of(2, scryfall_id="c"), blueprint_of(1, scryfall_id="b")]
        )
        assert await shop.blueprints.map(shop.context) == 1
        assert await mapped(shop) == {1: "B"}
        assert await shop.catalog.put_catalogue([CatalogueRow(sku="C")]) == 0
        assert len(await shop.published()) == 5


async def test_new_catalogue_entries_replace_the_old_ones(database_url: str) -> None:
    async with opened_shop(database_url) as shop:
        for name in ("Magic", "MTG"):
            await shop.blueprints.put_games(
                shop.context, [Game(id=1, name=name, display_name="Magic: the Gathering")]
            )
            await shop.blueprints.put_categories(
                shop.context,
                [Category(id=11, game_id=1, name=name, properties=(Property(name="condition"),))],
            )
            await shop.blueprints.put_expansions(
                shop.context, [Expansion(id=5, game_id=1, code="neo", name=name)]
            )
        [row] = await shop.opened.database.read(list_games)
        assert (row.id, row.name) == (1, "MTG")
        [row] = await shop.opened.database.read(
            lambda connection: list_expansions(connection, game_id=1, limit=10)
        )
        assert (row.id, row.name) == (5, "MTG")


async def pages(shop: Shop, **given: Any) -> list[Row[Any]]:
    found: list[Row[Any]] = []
    while True:
        after = product_key(found[-1], given.get("sort", "product_id")) if found else None
        query = ProductQuery(limit=2, after=after, **given)
        rows: Sequence[Row[Any]] = await shop.opened.database.read(
            lambda connection, query=query: list_products(connection, query)  # type: ignore[misc]
        )
        if not rows:
            return found
        found += rows


async def test_products_are_listed_in_pages_by_any_sort_and_filter(database_url: str) -> None:
    async with opened_shop(database_url) as shop:
        products = [
            product_of(
                number,
                price_cents=number % 3,
                name_en=f"100% Card_{number}",
                blueprint_id=number % 2,
            )
            for number in range(1, 8)
        ]
        await shop.sync(products)
        await shop.sync(products[1:])
        await shop.blueprints.put_blueprints(shop.context, [blueprint_of(1, scryfall_id="a")])
        await shop.catalog.put_catalogue([CatalogueRow(sku="A", scryfall_id="a")])
        assert [row.product_id for row in await pages(shop)] == [1, 2, 3, 4, 5, 6, 7]
        assert [row.product_id for row in await pages(shop, sort="-price_cents")] == [
            5,
            2,
            7,
            4,
            1,
            6,
            3,
        ]
        assert [row.product_id for row in await pages(shop, gone=True)] == [1]
        assert [row.product_id for row in await pages(shop, mapped=True, gone=False)] == [3, 5, 7]
        assert [row.product_id for row in await pages(shop, q="0% card_4")] == [4]
        assert [
            row.product_id
            for row in await pages(
                shop, expansion=5, foil=False, condition="Near Mint", language="en", game=1
            )
        ] == [1, 3, 5, 7]
        assert await pages(shop, account=10**6) == []
        with pytest.raises(InvalidInputError, match="sort"):
            await pages(shop, sort="token")


_NAMES = [
    "Æther Vial",
    "ÀÉÎÕÜ ÇÑ Šž Łódź Ćelik",
    "Ἀχιλλεύς ΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩ",
    "АБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯ",
    "稲妻 [Foil] 100% *new?* a_b ^c-d] {2} (x|y) \\\\ end.",
    "Straße",
]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("æTHER", [0]),
        ("àéîõü çñ šž łÓDŹ ćELIK", [1]),
        ("αβγδεζηθικλμνξοπρστυφχψω", [2]),
        ("абвгдежзийклмнопрстуфхцчшщъыьэюя", [3]),
        ("ЯЮ", []),
        ("ъы", [3]),
        ("稲妻 [fOIL] 100% *NEW?* A_B ^C-D] {2} (X|Y) \\\\ END.", [4]),
        ("%", [4]),
        ("_", [4]),
        ("*", [4]),
        ("?", [4]),
        ("[", [4]),
        ("]", [4]),
        ("^", [4]),
        (".", [4]),
        ("\\", [4]),
        ("(x|y)", [4]),
        ("{2}", [4]),
        ("a.b", []),
        ("a*b", []),
        ("[a-z]", []),
        ("STRAßE", [5]),
        (" ", [0, 1, 2, 4]),
    ],
)
async def test_a_part_of_a_name_is_found_in_any_case_and_alphabet(
    database_url: str, text: str, found: list[int]
) -> None:
    async with opened_shop(database_url) as shop:
        await shop.sync([product_of(at, name_en=name) for at, name in enumerate(_NAMES, start=1)])
        assert [row.product_id - 1 for row in await pages(shop, q=text)] == found


async def test_a_text_of_any_letters_can_be_searched_for_up_to_a_length(database_url: str) -> None:
    letters = "".join(map(chr, range(0xC0, 0x400)))
    async with opened_shop(database_url) as shop:
        await shop.sync([product_of(1, name_en=f"<{letters}>"), product_of(2)])
        for text in (letters[:500], letters[300:800], letters[:500].upper()[:500]):
            assert len(await pages(shop, q=text)) <= 1
        assert [row.product_id for row in await pages(shop, q=letters[:500])] == [1]
        with pytest.raises(InvalidInputError, match="q: at most 500 characters"):
            await pages(shop, q=letters[:501])


async def test_the_history_of_a_product_is_read_newest_first(database_url: str) -> None:
    async with opened_shop(database_url) as shop:
        for cents in (1, 2, 3):
            await shop.sync([product_of(1, price_cents=cents)])
        rows = await shop.opened.database.read(
            lambda connection: list_history(connection, 1, limit=10)
        )
        assert [row.changes for row in rows] == [{"price_cents": [2, 3]}, {"price_cents": [1, 2]}]
        older = await shop.opened.database.read(
            lambda connection: list_history(connection, 1, before_id=rows[0].id, limit=10)
        )
        assert [row.id for row in older] == [rows[1].id]
        with pytest.raises(NotFoundError):
            await shop.opened.database.read(
                lambda connection: list_history(connection, 2, limit=10)
            )
