"""What a sync changed, and what products can be filtered by, over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.inventory.source import Category, Expansion, Property
from penstock.store.write.inventory.catalogue import SqlBlueprints
from tests.api.seller import seller
from tests.market_builders import unfenced

if TYPE_CHECKING:
    from pathlib import Path

_UNKNOWN = "00000000-0000-4000-8000-000000000000"


async def test_what_a_sync_changed_is_listed_by_kind_and_page(
    database_url: str, tmp_path: Path
) -> None:
    async with seller(database_url, tmp_path) as shop:
        first = await shop.synced()
        assert await shop.pages(f"/syncs/{first['task_id']}/changes") == []
        await shop.edit(changed=10, gone=2, new=1, fields=["price"])
        sync = await shop.synced()
        path, counts = f"/syncs/{sync['task_id']}/changes", sync["counts"]
        kinds = {
            kind: await shop.pages(f"{path}?kind={kind}&limit=7")
            for kind in ("changed", "gone", "new", "returned")
        }
        assert {kind: len(items) for kind, items in kinds.items()} == {
            kind: counts[kind] for kind in kinds
        }
        assert counts["changed"] > 7
        every = await shop.pages(f"{path}?limit=7")
        assert [item["id"] for item in every] == sorted({item["id"] for item in every})
        assert len(every) == sum(map(len, kinds.values()))
        for item in kinds["changed"]:
            assert item["changes"]["price_cents"][1] == item["price_cents"]
            [entry] = await shop.pages(f"/products/{item['product_id']}/history")
            assert {name: entry[name] for name in ("id", "changes")} == {
                name: item[name] for name in ("id", "changes")
            }


async def test_changes_of_no_sync_are_not_found(sqlite_database: str, tmp_path: Path) -> None:
    async with seller(sqlite_database, tmp_path, work=False) as shop:
        status, problem = await shop.call("GET", f"/syncs/{_UNKNOWN}/changes")
        assert (status, problem["code"]) == (404, "not_found")


async def test_values_and_expansions_are_found_for_filters(
    database_url: str, tmp_path: Path
) -> None:
    async with seller(database_url, tmp_path, work=False) as shop:
        assert await shop.get("/values") == {"conditions": [], "languages": []}
        catalogue, context = SqlBlueprints(), unfenced(shop.service.app.database)
        await catalogue.put_categories(
            context,
            [
                _category(1, ["Near Mint", "Poor"], "mtg_language", ["en", "it"]),
                _category(5, ["Near Mint", "Mint"], "pokemon_language", ["it", "jp"]),
            ],
        )
        assert await shop.get("/values") == {
            "conditions": ["Near Mint", "Poor", "Mint"],
            "languages": ["en", "it", "jp"],
        }
        assert (await shop.get("/values?game=5"))["languages"] == ["it", "jp"]
        await catalogue.put_expansions(
            context,
            [
                Expansion(id=1, game_id=1, code="neo", name="Neon Dynasty"),
                Expansion(id=2, game_id=1, code="dom", name="Dominaria: 100%_"),
            ],
        )
        for q, ids in (("NEON", [1]), ("dom", [2]), ("0%_", [2]), ("_n", []), ("x", [])):
            found = await shop.pages(f"/expansions?q={q.replace('%', '%25')}")
            assert [item["id"] for item in found] == ids, q


def _category(game: int, conditions: list[str], name: str, languages: list[str]) -> Category:
    return Category(
        id=game,
        name="Single Card",
        game_id=game,
        properties=(
            Property(name="condition", possible_values=tuple(conditions)),
            Property(name="signed", possible_values=(True, False)),
            Property(name=name, possible_values=tuple(languages)),
        ),
    )
