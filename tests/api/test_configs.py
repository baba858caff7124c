"""Configs over HTTP: added, changed, triggered and removed while the service runs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.api.collector import collector
from tests.api.configs import CONFIG, CONFIGS, add, refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pytest


PREVIEW = "/api/v1/admin/data-collection/preview"


APPLY = "/api/v1/admin/data-collection/apply"


FIELDS = {
    "id",
    "symbol",
    "exchange",
    "timeframes",
    "interval_minutes",
    "cron",
    "timezone",
    "enabled",
    "job_id",
    "created_at",
    "updated_at",
    "next_run_at",
    "description",
    "warnings",
}


async def test_a_config_is_added_listed_and_shown(database_url: str) -> None:
    async with collector(database_url, work=False) as service:
        made = await add(service, description="nightly\nof Solana")
        assert made.keys() == FIELDS
        expected = {
            "id": 1,
            "symbol": "SOL/USDT",
            "exchange": "binance",
            "timeframes": ["1m", "1h"],
            "interval_minutes": 10,
            "enabled": True,
        }
        assert (
            made.items()
            >= (
                expected
                | {
                    "job_id": "collect_data_1",
                    "cron": None,
                    "timezone": None,
                    "description": "nightly\nof Solana",
                }
            ).items()
        )
        assert made["next_run_at"] > made["created_at"]
        await add(service, symbol="BTC/USDT", enabled=False)
        assert [config["id"] for config in await service.get(CONFIGS)] == [1, 2]
        assert [config["id"] for config in await service.get(f"{CONFIGS}?enabled=false")] == [2]
        assert [
            config["id"]
            for config in await service.get(f"{CONFIGS}?skip=1&limit=1&exchange=binance")
        ] == [2]
        assert await service.get(f"{CONFIGS}?exchange=kraken") == []
        assert await service.get(f"{CONFIGS}/1") == made


async def test_configs_are_found_by_a_part_of_their_symbol_or_description(
    database_url: str, subtests: pytest.Subtests
) -> None:
    async with collector(database_url, work=False) as service:
        await add(service, description="100 % of Solana")
        await add(service, symbol="BTC/USDT")
        for part, found in (
            ("solusd", [1]),
            ("L/U", [1]),
            ("usdt", [1, 2]),
            ("of%20solana", [1]),
            ("100%20%25", [1]),
            ("%25", [1]),
            ("_", []),
        ):
            with subtests.test(part):
                listed = await service.get(f"{CONFIGS}?q={part}")
                assert [config["id"] for config in listed] == found


async def test_a_missing_field_has_a_default(sqlite_database: str) -> None:
    async with collector(sqlite_database, work=False) as service:
        status, made = await service.call("POST", CONFIGS, {"symbol": "btcusdt"})
        assert status == 201
        assert (made["symbol"], made["timeframes"], made["interval_minutes"]) == (
            "BTC/USDT",
            ["1m", "5m", "15m", "1h", "4h", "1d"],
            5,
        )
        assert made["warnings"] == []


async def test_a_change_is_partial_and_an_empty_one_changes_nothing(database_url: str) -> None:
    async with collector(database_url, work=False) as service:
        made = await add(service)
        status, changed = await service.call("PUT", f"{CONFIGS}/1", {"interval_minutes": 30})
        assert status == 200
        assert changed["interval_minutes"] == 30
        assert {
            name: changed[name]
            for name in FIELDS - {"interval_minutes", "updated_at", "next_run_at"}
        } == {
            name: made[name] for name in FIELDS - {"interval_minutes", "updated_at", "next_run_at"}
        }
        assert changed["next_run_at"] > made["next_run_at"]
        assert await service.call("PUT", f"{CONFIGS}/1", {}) == (200, changed)
        _, moved = await service.call(
            "PUT", f"{CONFIGS}/1", {"symbol": "ETHUSDT", "timeframes": ["5m"], "description": "x"}
        )
        assert (moved["symbol"], moved["timeframes"], moved["description"], moved["job_id"]) == (
            "ETH/USDT",
            ["5m"],
            "x",
            "collect_data_1",
        )
        assert moved["next_run_at"] == changed["next_run_at"], "the schedule was not changed"
        _, moved = await service.call("PUT", f"{CONFIGS}/1", {"description": None})
        assert moved["description"] is None


async def test_an_interval_becomes_a_cron_expression_and_back(sqlite_database: str) -> None:
    async with collector(sqlite_database, work=False) as service:
        await add(service)
        status, changed = await service.call(
            "PUT", f"{CONFIGS}/1", {"cron": "30 2 * * *", "timezone": "Europe/Berlin"}
        )
        assert (status, changed["interval_minutes"], changed["cron"], changed["timezone"]) == (
            200,
            None,
            "30 2 * * *",
            "Europe/Berlin",
        )
        _, changed = await service.call("PUT", f"{CONFIGS}/1", {"cron": "0 3 * * *"})
        assert (changed["cron"], changed["timezone"]) == ("0 3 * * *", "Europe/Berlin")
        _, changed = await service.call("PUT", f"{CONFIGS}/1", {"interval_minutes": 60})
        assert (changed["interval_minutes"], changed["cron"], changed["timezone"]) == (
            60,
            None,
            None,
        )


async def test_the_next_runs_are_shown_before_and_after_a_config_is_added(
    sqlite_database: str,
) -> None:
    async with collector(sqlite_database, work=False) as service:
        asked = {"symbol": "BTCUSDT", "cron": "0 12 * * *", "timezone": "UTC"}
        status, preview = await service.call("POST", PREVIEW, asked)
        assert (status, len(preview["next_runs"])) == (200, 5)
        assert all(at.endswith("T12:00:00Z") for at in preview["next_runs"])
        assert await service.get(CONFIGS) == []
        await service.call("POST", CONFIGS, asked)
        assert (await service.get(f"{CONFIGS}/1/preview"))["next_runs"] == preview["next_runs"]
        made = await add(service)
        runs = (await service.get(f"{CONFIGS}/2/preview"))["next_runs"]
        assert (len(runs), runs[0]) == (5, made["next_run_at"])


WRONG_FIELDS: list[tuple[Mapping[str, object], str, str]] = [
    ({"symbol": "SOLUSTD"}, "symbol", "SOL/USDT"),
    ({"symbol": ""}, "symbol", ""),
    ({"symbol": "SOL\0USDT"}, "symbol", "control"),
    ({"symbol": None}, "symbol", ""),
    ({"exchange": "bonance"}, "exchange", "binance"),
    ({"timeframes": ["7m"]}, "timeframes", "5m, 3m, 1m"),
    ({"timeframes": []}, "timeframes", ""),
    ({"interval_minutes": 0}, "interval_minutes", "greater than or equal to 1"),
    ({"interval_minutes": 10**12}, "interval_minutes", ""),
    ({"interval_minutes": True}, "interval_minutes", ""),
    ({"cron": "0 3 * * *"}, "cron", "not both"),
    ({"interval_minutes": None, "cron": "61 * * * *"}, "cron", "bad minute"),
    ({"interval_minutes": None, "cron": "* * * * * *"}, "cron", "five fields"),
    ({"interval_minutes": None, "cron": "* * */20 * 1L"}, "cron", "never comes"),
    (
        {"interval_minutes": None, "cron": "0 3 * * *", "timezone": "Europe/Berln"},
        "timezone",
        "Europe/Berlin",
    ),
    ({"timezone": "UTC"}, "timezone", "only applies to cron"),
    ({"description": "x" * 10_000}, "description", "1000"),
    ({"description": "a\0b"}, "description", "control"),
    ({"enabled": "perhaps"}, "enabled", ""),
    ({"job_id": "mine"}, "job_id", ""),
]


async def test_a_wrong_field_is_refused_by_its_name_and_nothing_is_changed(
    sqlite_database: str, subtests: pytest.Subtests
) -> None:
    async with collector(sqlite_database, work=False) as service:
        for fields, field, hint in WRONG_FIELDS:
            with subtests.test(repr(fields)[:80]):
                for path in (CONFIGS, PREVIEW):
                    problem = await refused(service, "POST", path, CONFIG | dict(fields), 422)
                    assert problem["field"].startswith(field)
                    assert hint in problem["detail"]
                assert await service.get(CONFIGS) == []
        before = await add(service)
        for fields, _, _ in WRONG_FIELDS:
            with subtests.test(f"PUT {fields!r}"[:80]):
                await refused(service, "PUT", f"{CONFIGS}/1", CONFIG | dict(fields), 422)
                assert await service.get(f"{CONFIGS}/1") == before


async def test_a_wrong_list_is_refused_by_its_parameter(
    sqlite_database: str, subtests: pytest.Subtests
) -> None:
    async with collector(sqlite_database, work=False) as service:
        for query in (
            "sort=unknown",
            "limit=101",
            "limit=0",
            "skip=-1",
            "enabled=perhaps",
            "exchange=a%00b",
        ):
            with subtests.test(query):
                problem = await refused(service, "GET", f"{CONFIGS}?{query}", None, 422)
                assert problem["field"] == query.partition("=")[0]


async def test_a_missing_config_is_not_found(
    sqlite_database: str, subtests: pytest.Subtests
) -> None:
    async with collector(sqlite_database, work=False) as service:
        for name, status in (
            ("7", 404),
            ("0", 404),
            ("9" * 50, 404),
            ("9" * 51, 422),
            ("one", 404),
            ("a%00b", 422),
        ):
            path = f"{CONFIGS}/{name}"
            calls = [("GET", path), ("PUT", path), ("DELETE", path), ("GET", f"{path}/preview")]
            for method, called in [
                *calls,
                *(("POST", f"{path}/{action}") for action in ("enable", "disable", "trigger")),
            ]:
                with subtests.test(f"{method} {called}"):
                    await refused(service, method, called, {} if method == "PUT" else None, status)


async def test_a_symbol_has_one_config_on_an_exchange(database_url: str) -> None:
    async with collector(database_url, work=False) as service:
        await add(service)
        assert (
            "config 1"
            in (await refused(service, "POST", CONFIGS, CONFIG | {"symbol": "SOL/USDT"}, 409))[
                "detail"
            ]
        )
        await add(service, symbol="BTCUSDT")
        before = await service.get(CONFIGS)
        await refused(service, "PUT", f"{CONFIGS}/2", {"symbol": "SOLUSDT"}, 409)
        assert await service.get(CONFIGS) == before


async def test_many_concurrent_requests_to_add_a_symbol_create_one_config(
    database_url: str,
) -> None:
    async with collector(database_url, work=False) as service:
        answers = await asyncio.gather(*(service.call("POST", CONFIGS, CONFIG) for _ in range(8)))
        assert sorted(status for status, _ in answers) == [201] + [409] * 7
        assert len(await service.get(CONFIGS)) == 1


async def test_of_many_configs_edited_to_the_same_symbol_at_once_only_one_gets_it(
    database_url: str,
) -> None:
    async with collector(database_url, work=False) as service:
        for symbol in ("BTC/USDT", "ETH/USDT", "XRP/USDT", "ADA/USDT"):
            await add(service, symbol=symbol)
        for new_symbol in ("SOLUSDT", "BNBUSDT", "DOGEUSDT"):
            answers = await asyncio.gather(
                *(
                    service.call("PUT", f"{CONFIGS}/{config_id}", {"symbol": new_symbol})
                    for config_id in range(1, 5)
                )
            )
            assert sorted(status for status, _ in answers) == [200, 409, 409, 409], answers


async def test_concurrent_lists_are_applied_one_after_the_other(
    database_url: str,
) -> None:
    async with collector(database_url, work=False) as service:
        symbols = ("SOL/USDT", "BTC/USDT", "ETH/USDT", "XRP/USDT", "ADA/USDT", "BNB/USDT")
        for _ in range(3):
            lists = [
                [{"symbol": symbol, "timeframes": ["1h"]} for symbol in order]
                for order in (symbols, symbols[::-1])
            ]
            answers = await asyncio.gather(
                *(service.call("POST", APPLY, {"configs": configs}) for configs in lists * 3)
            )
            assert sorted((status, len(body.get("added", ()))) for status, body in answers) == [
                (200, 0)
            ] * 5 + [(200, 6)], answers
            await service.call("POST", APPLY, {"configs": [], "prune": True})


async def test_a_likely_mistake_is_accepted_with_a_warning(sqlite_database: str) -> None:
    async with collector(sqlite_database, work=False) as service:
        often = await add(service, interval_minutes=1)
        assert [warning.partition(":")[0] for warning in often["warnings"]] == ["interval_minutes"]
        near = await add(service, symbol="BTCUSDT", timeframes=["1m", "3m", "5m"])
        assert [warning.partition(":")[0] for warning in near["warnings"]] == ["timeframes"]
        cron = await add(service, symbol="ETHUSDT", interval_minutes=None, cron="*/2 * * * *")
        assert [warning.partition(":")[0] for warning in cron["warnings"]] == ["cron"]


async def test_a_list_is_applied_whole_and_a_second_time_changes_nothing(database_url: str) -> None:
    async with collector(database_url, work=False) as service:
        await add(service)
        await add(service, symbol="ETHUSDT")
        body = {
            "configs": [
                CONFIG | {"interval_minutes": 20},
                {"symbol": "BTCUSDT", "timeframes": ["1h"], "cron": "0 * * * *"},
            ]
        }
        before = await service.get(CONFIGS)
        status, preview = await service.call("POST", APPLY, body | {"dry_run": True, "prune": True})
        assert (status, await service.get(CONFIGS)) == (200, before)
        status, done = await service.call("POST", APPLY, body | {"prune": True})
        assert done == preview | {"dry_run": False}
        assert [config["symbol"] for config in done["added"]] == ["BTC/USDT"]
        assert done["changed"] == [
            {"symbol": "SOL/USDT", "exchange": "binance", "changes": {"interval_minutes": [10, 20]}}
        ]
        assert ([config["symbol"] for config in done["removed"]], done["unchanged"]) == (
            ["ETH/USDT"],
            0,
        )
        _, again = await service.call("POST", APPLY, body | {"prune": True})
        assert again == {
            "added": [],
            "changed": [],
            "removed": [],
            "unchanged": 2,
            "dry_run": False,
        }


async def test_a_list_with_one_wrong_config_changes_nothing(
    sqlite_database: str, subtests: pytest.Subtests
) -> None:
    async with collector(sqlite_database, work=False) as service:
        for wrong in (
            {"symbol": "SOLUSTD"},
            {"symbol": "SOLUSDT", "cron": "x"},
            {"symbol": "BTC/USDT"},
            {"symbol": "SOLUSDT", "x": 1},
        ):
            with subtests.test(str(wrong)):
                await refused(
                    service, "POST", APPLY, {"configs": [{"symbol": "BTCUSDT"}, wrong]}, 422
                )
                assert await service.get(CONFIGS) == []
