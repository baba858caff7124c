"""CardTrader's API v2 as documented and recorded, tokens, the limit, and accounts' own paths."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from penstock.simulator.cardtrader.bucket import Buckets
from penstock.simulator.server import SimulatorSettings, running

if TYPE_CHECKING:
    from pathlib import Path

    from tests.simulator.conftest import Marketplace


async def test_info_says_who_asks_and_the_secret_of_its_webhooks(market: Marketplace) -> None:
    demo, other = await market.get("info"), await market.get("info", token="other")
    assert set(demo) == {"id", "name", "shared_secret", "user_id"}
    assert all(demo[name] != other[name] for name in demo)
    assert {row["user_id"] for row in await market.get("products/export", token="other")} == {
        other["user_id"]
    }


@pytest.mark.parametrize(
    "header", [None, "Bearer wrong", "Bearer ", "demo", "Basic demo", "bearer demo"]
)
async def test_a_wrong_token_is_a_401_with_the_documented_body(
    market: Marketplace, header: str | None
) -> None:
    headers = {"Authorization": header} if header else {}
    for path in ("info", "products/export", "none"):
        async with market.session.get(f"/api/v2/{path}", headers=headers) as response:
            assert response.status == 401
            body = await response.json()
            assert set(body) == {"error_code", "errors", "extra", "request_id"}
            assert body["extra"]["message"]


async def test_games_come_in_an_array_in_an_object_as_recorded(market: Marketplace) -> None:
    games = await market.get("games")
    assert set(games) == {"array"}
    assert [game["id"] for game in games["array"]] == [1, 4, 5, 6, 8]
    assert {frozenset(game) for game in games["array"]} == {
        frozenset({"id", "name", "display_name"})
    }


async def test_categories_have_properties_and_can_be_asked_for_by_game(market: Marketplace) -> None:
    everything, pokemon = await market.get("categories"), await market.get("categories", game_id=5)
    assert [category for category in everything if category["game_id"] == 5] == pokemon
    assert await market.get("categories", game_id=77) == []
    properties = {property_["name"]: property_ for property_ in pokemon[0]["properties"]}
    assert properties["condition"]["possible_values"][:2] == ["Near Mint", "Slightly Played"]
    assert "zh-TW" in properties["pokemon_language"]["possible_values"]
    assert properties["signed"] == {
        "name": "signed",
        "type": "boolean",
        "possible_values": [True, False],
    }


async def test_expansions_are_all_and_their_export_those_with_products(market: Marketplace) -> None:
    everything = await market.get("expansions")
    assert (
        len({row["id"] for row in everything})
        == len({row["code"] for row in everything})
        == len(everything)
        == 104
    )
    with_products = await market.get("expansions/export", token="other")
    products = await market.get("products/export", token="other")
    blueprints = {
        blueprint["id"]: blueprint["expansion_id"]
        for expansion in with_products
        for blueprint in await _blueprints(market, expansion["id"])
    }
    assert {blueprints[product["blueprint_id"]] for product in products} == {
        row["id"] for row in with_products
    }
    assert await market.get("expansions/export", token="empty") == []


async def _blueprints(market: Marketplace, expansion_id: int) -> list[dict[str, Any]]:
    return list(await market.get("blueprints/export", expansion_id=expansion_id))


async def test_blueprints_have_the_ids_of_other_shops_and_possible_values(
    market: Marketplace,
) -> None:
    blueprints = [
        blueprint for expansion in (1, 8, 15) for blueprint in await _blueprints(market, expansion)
    ]
    singles = [blueprint for blueprint in blueprints if blueprint["editable_properties"]]
    assert {frozenset(category["fixed_properties"]) for category in singles} == {
        frozenset({"collector_number", "mtg_rarity", "cmc", "mtg_card_colors"})
    }
    assert {type(category["scryfall_id"]) for category in singles} == {str, type(None)}
    assert {type(category["tcg_player_id"]) for category in singles} == {int, type(None)}
    assert {len(category["card_market_ids"]) for category in singles} == {0, 1, 2}
    assert {blueprint["version"] for blueprint in blueprints} >= {None, "", "Showcase"}
    assert any(not blueprint["editable_properties"] for blueprint in blueprints)


async def test_blueprints_need_an_expansion_that_exists(market: Marketplace) -> None:
    for values, status in (
        ({}, 422),
        ({"expansion_id": "x"}, 422),
        ({"expansion_id": 2}, 404),
        ({"expansion_id": "9" * 40}, 422),
    ):
        assert (await market.raw("blueprints/export", **values))[0] == status


async def test_an_export_is_the_true_inventory_and_both_its_filters_choose_from_it(
    market: Marketplace,
) -> None:
    products = await market.get("products/export")
    assert products == await market.true_products()
    assert len(products) == 400
    blueprint_id = products[17]["blueprint_id"]
    assert await market.get("products/export", blueprint_id=blueprint_id) == [
        row for row in products if row["blueprint_id"] == blueprint_id
    ]
    some = await market.get("products/export", expansion_id=blueprint_id // 1000)
    assert some == [row for row in products if row["blueprint_id"] // 1000 == blueprint_id // 1000]
    assert await market.get("products/export", expansion_id=2) == []
    assert await market.get("products/export", token="empty") == []


async def test_products_refer_to_blueprints_and_values_of_the_catalogue(
    market: Marketplace,
) -> None:
    categories = {
        category["id"]: {each["name"]: each["possible_values"] for each in category["properties"]}
        for category in await market.get("categories")
    }
    for product in await market.get("products/export", token="other"):
        blueprints = {
            blueprint["id"]: blueprint
            for blueprint in await _blueprints(market, product["blueprint_id"] // 1000)
        }
        blueprint = blueprints[product["blueprint_id"]]
        assert [product[name] for name in ("name_en", "game_id", "category_id")] == [
            blueprint[name] for name in ("name", "game_id", "category_id")
        ]
        possible = categories[product["category_id"]]
        for name, value in product["properties_hash"].items():
            assert not possible.get(name) or value in possible[name]


async def test_an_unknown_path_is_a_404_with_the_documented_body(market: Marketplace) -> None:
    assert (await market.raw("products/exports"))[0] == 404
    async with market.session.post(
        "/api/v2/products/export", headers={"Authorization": "Bearer demo"}
    ) as response:
        assert response.status == 404
        assert (await response.json())["error_code"] == "not_found"


def test_the_limit_is_200_in_10_seconds_for_each_token() -> None:
    buckets = Buckets(enforced=True)
    assert [buckets.take("a", 5.0) for _ in range(201)] == [True] * 200 + [False]
    assert buckets.take("b", 5.0)
    assert [buckets.take("a", 5.5) for _ in range(11)] == [True] * 10 + [False]
    assert [buckets.take("a", 99.0) for _ in range(201)].count(True) == 200
    free = Buckets(enforced=False)
    assert all(free.take("a", 5.0) for _ in range(500))


async def test_over_the_limit_is_a_429_with_the_real_body_and_no_retry_after(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Real time would fill the bucket while the test empties it.
    monkeypatch.setattr("penstock.simulator.cardtrader.marketplace.monotonic", lambda: 5.0)
    async with (
        running(SimulatorSettings(symbols=1, accounts=("demo:1", "b:1"))) as url,
        aiohttp.ClientSession(url) as session,
    ):
        for _ in range(200):
            async with session.get(
                "/api/v2/games", headers={"Authorization": "Bearer demo"}
            ) as response:
                assert response.status == 200
        async with session.get(
            "/api/v2/info", headers={"Authorization": "Bearer demo"}
        ) as response:
            assert response.status == 429
            assert await response.json() == {
                "error": "Too many requests: max 200 requests per 10 seconds"
            }
            assert "Retry-After" not in response.headers
        async with session.get("/api/v2/info", headers={"Authorization": "Bearer b"}) as response:
            assert response.status == 200


async def test_both_providers_answer_beside_each_other(market: Marketplace) -> None:
    async with market.session.get("/api/v3/klines?symbol=BTCUSDT&interval=1m&limit=2") as response:
        assert len(await response.json()) == 2
    await market.get("info")
    _, seen = await market.admin("GET", "requests")
    assert seen["by_path"] == {"/api/v3/klines": 1, "/api/v2/info": 1}


async def test_an_inventory_moves_on_and_says_what_each_version_holds(market: Marketplace) -> None:
    first = await market.get("products/export")
    assert await market.admin(
        "POST", "accounts/demo/versions", {"changed": 10, "gone": 5, "new": 5}
    ) == (
        200,
        {"token": "demo", "user_id": 1001, "version": 2},
    )
    second = await market.get("products/export")
    assert second == await market.true_products("2")
    assert first == await market.true_products("1")
    old, new = ({row["id"]: row for row in rows} for rows in (first, second))
    assert await market.admin("GET", "accounts/demo/versions/2/difference") == (
        200,
        {"from": 1, "to": 2, "new": 20, "changed": 40, "gone": 20, "returned": 0},
    )
    assert (len(new.keys() - old.keys()), len(old.keys() - new.keys())) == (20, 20)
    assert sum(old[product_id] != new[product_id] for product_id in old.keys() & new.keys()) == 40
    sums = {name: sum(row[name] for row in second) for name in ("quantity", "price_cents")}
    assert await market.admin("GET", "accounts/demo/versions/newest") == (
        200,
        {"version": 2, "products": 400, "ids": str(sum(new))} | sums,
    )
    assert [
        account["version"] for account in (await market.admin("GET", "accounts"))[1]["accounts"]
    ] == [2, 1, 1]


async def test_products_of_a_version_can_be_asked_for_by_id_and_by_place(
    market: Marketplace,
) -> None:
    rows = await market.true_products()
    ids = f"{rows[3]['id']},{rows[200]['id']},5"
    assert (await market.admin("GET", f"accounts/demo/versions/1/products?ids={ids}"))[1][
        "products"
    ] == [rows[3], rows[200]]
    assert (await market.admin("GET", "accounts/demo/versions/1/products?skip=390&limit=5"))[1][
        "products"
    ] == rows[390:395]


async def test_a_body_can_be_prepared_beforehand(market: Marketplace) -> None:
    for gzip in (False, True):
        status, shown = await market.admin("PUT", "accounts/demo/export", {"gzip": gzip})
        assert (status, shown["version"], shown["gzip"]) == (200, 1, gzip)
        assert shown["bytes"] > 20_000
    _, body, headers = await market.raw("products/export")
    assert (
        headers["Content-Length"]
        == str(len(body))
        == str((await market.admin("PUT", "accounts/demo/export"))[1]["bytes"])
    )


async def test_many_requests_for_one_export_all_get_the_same_body(market: Marketplace) -> None:
    bodies = await asyncio.gather(*(market.raw("products/export") for _ in range(20)))
    assert len({body for _, body, _ in bodies}) == 1


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "part"),
    [
        (
            "POST",
            "nobody/versions",
            {},
            404,
            "there is no account 'nobody'; there are demo, other, empty",
        ),
        ("POST", "demo/versions", {"changed": 101}, 422, "<= 100"),
        ("POST", "demo/versions", {"changed": 60, "gone": 60}, 422, "more than 100 percent"),
        ("POST", "demo/versions", {"chnged": 6}, 422, "unknown field `chnged`"),
        ("POST", "demo/versions", {"fields": ["name"]}, 422, "Invalid enum value 'name'"),
        ("GET", "demo/versions/2", None, 422, "there is no version 2; there are 1 to 1"),
        ("GET", "demo/versions/last", None, 422, "'last' is not a whole number"),
        ("GET", "demo/versions/1/difference?from=2", None, 422, "there is no version 2"),
        ("GET", "demo/versions/1/products?limit=all", None, 422, "limit: 'all'"),
        ("PUT", "demo/export", {"zip": True}, 422, "unknown field `zip`"),
    ],
)
async def test_an_invalid_admin_request_gets_one_sentence_and_changes_nothing(
    market: Marketplace, method: str, path: str, body: object, status: int, part: str
) -> None:
    got, answer = await market.admin(method, f"accounts/{path}", body)
    assert got == status
    assert part in answer["error"]
    assert (await market.admin("GET", "accounts"))[1]["accounts"][0]["version"] == 1


async def test_the_catalogue_has_the_shape_of_recorded_answers(
    market: Marketplace, recorded: Path
) -> None:
    folder = recorded / "cardtrader"

    def read(name: str) -> Any:  # noqa: ANN401 - recorded JSON
        return json.loads((folder / name).read_text(encoding="utf-8"))

    for ours, theirs in (
        ((await market.get("games"))["array"], read("games.json")["array"]),
        (await market.get("categories"), read("categories.json")),
        (await market.get("expansions"), read("expansions.json")),
        (await _blueprints(market, 1), read("fixtures/blueprints.json")),
        (await market.get("products/export"), read("fixtures/get_my_products.json")),
    ):
        assert set(theirs[0]) <= set(ours[0])
        assert set(ours[0]) - set(theirs[0]) <= {"expansion"}
