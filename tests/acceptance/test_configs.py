"""The examples of docs/configs.md: commands with and without a service, HTTP, and a restart."""

from __future__ import annotations

import signal
from typing import Any

import aiohttp
import pytest

from tests.acceptance.commands import Penstock, url_in

ADMIN = "/api/v1/admin/data-collection"

FILE = """
configs:
  - symbol: BTC/USDT
    timeframes: [1m, 1h]
    interval_minutes: 15
  - symbol: ETHUSDT
    timeframes: [1d]
    cron: "30 2 * * *"
    timezone: Europe/Berlin
"""


async def call(
    session: aiohttp.ClientSession, method: str, path: str, body: object | None = None
) -> Any:  # noqa: ANN401 - JSON
    async with session.request(method, ADMIN + path, json=body) as answer:
        assert answer.status < 300, await answer.text()
        return await answer.json()


@pytest.mark.parametrize("served", [False, True], ids=["alone", "beside a service"])
async def test_the_walk_on_the_command_line(penstock: Penstock, served: bool) -> None:
    if not served:
        await _walk(penstock)
        return
    async with penstock.started("serve", "--port", "0") as serving:
        await serving.says("Penstock serves at")
        await _walk(penstock)
        assert (await serving.ended(signal.SIGTERM)).code == 0


async def _walk(penstock: Penstock) -> None:
    preview = (
        await penstock(
            "config", "add", "SOL/USDT", "-t", "1m,1h", "--every", "10", "--dry-run", "--json"
        )
    ).json
    assert len(preview["next_runs"]) == 5
    added = (
        await penstock("config", "add", "SOL/USDT", "-t", "1m,1h", "--every", "10", "--json")
    ).json
    assert (added["id"], added["job_id"], added["warnings"]) == (1, "collect_data_1", [])
    again = await penstock("config", "add", "SOLUSDT", "-t", "1m")
    assert again.code == 5
    assert "config 1" in again.complaint
    assert (await penstock("config", "edit", "1", "--every", "20", "--json")).json[
        "interval_minutes"
    ] == 20
    assert (await penstock("config", "trigger", "1")).code == 0
    assert (await penstock("config", "disable", "1", "--json")).json["enabled"] is False
    assert (await penstock("config", "enable", "1", "--json")).json["enabled"] is True
    listed = await penstock("config", "list")
    assert "SOL/USDT" in listed.out
    assert "every 20 min" in listed.out
    assert (
        len((await penstock("candles", "SOL/USDT", "-t", "1m", "--limit", "100", "--json")).json)
        == 100
    )
    assert (
        await penstock("config", "remove", "1")
    ).out == "config 1 is removed: SOL/USDT on binance\n"
    assert (await penstock("config", "list", "--json")).json == []
    gone = await penstock("config", "enable", "1")
    assert gone.code == 2
    assert "there is no config '1'" in gone.complaint


async def test_the_walk_with_http_survives_a_restart(penstock: Penstock, database_url: str) -> None:
    penstock = penstock.with_settings(database_url=database_url)
    async with (
        penstock.started("serve", "--port", "0") as serving,
        aiohttp.ClientSession(url_in(await serving.says("Penstock serves at"))) as session,
    ):
        made = await call(
            session,
            "POST",
            "/configs",
            {"symbol": "SOLUSDT", "timeframes": ["1m", "1h"], "interval_minutes": 10},
        )
        await call(session, "PUT", "/configs/1", {"interval_minutes": 30})
        await serving.ended(signal.SIGTERM)
    async with (
        penstock.started("serve", "--port", "0") as serving,
        aiohttp.ClientSession(url_in(await serving.says("Penstock serves at"))) as session,
    ):
        [kept] = await call(session, "GET", "/configs")
        assert (kept["interval_minutes"], kept["created_at"]) == (30, made["created_at"])
        task_id = (await call(session, "POST", "/configs/1/trigger"))["task_id"]
        watched = await penstock("watch", task_id, "--url", str(session._base_url))
        assert watched.code == 0, watched.err
        [log] = await call(
            session, "GET", "/execution-logs?job_name=collect_data_1&start_date=2020-01-01"
        )
        assert (log["symbol"], log["status"], log["records_collected"]) == (
            "SOL/USDT",
            "success",
            200,
        )
        stats = await call(session, "GET", "/stats?hours=24&job_type=data_collection")
        assert (stats["total_executions"], stats["success_rate"]) == (1, 100.0)
        assert (await call(session, "POST", "/configs/1/disable"))["enabled"] is False
        await call(session, "DELETE", "/configs/1")
        assert await call(session, "GET", "/configs") == []
        assert len(await call(session, "GET", "/execution-logs?symbol=SOLUSDT")) == 1, (
            "logs outlive their config"
        )
        await serving.ended(signal.SIGTERM)


async def test_a_file_is_applied_as_a_whole_and_again_changes_nothing(penstock: Penstock) -> None:
    file = penstock.folder / "configs.yaml"
    file.write_text(FILE, encoding="utf-8")
    preview = await penstock("apply", "-f", str(file), "--dry-run")
    assert preview.out.splitlines()[-1] == "would be: 2 added, 0 changed, 0 removed, 0 unchanged"
    done = await penstock("apply", "-f", str(file))
    assert done.out.splitlines() == [
        "+ BTC/USDT on binance, 1m,1h, every 15 min",
        "+ ETH/USDT on binance, 1d, 30 2 * * * (Europe/Berlin)",
        "2 added, 0 changed, 0 removed, 0 unchanged",
    ]
    assert (
        await penstock("apply", "-f", str(file))
    ).out == "0 added, 0 changed, 0 removed, 2 unchanged\n"
    file.write_text(FILE.replace("15", "16").replace("ETHUSDT", "SOLUSDT"), encoding="utf-8")
    changed = await penstock("apply", "-f", str(file), "--prune")
    assert "~ BTC/USDT on binance, interval_minutes: 15 → 16" in changed.out
    assert changed.out.endswith("1 added, 1 changed, 1 removed, 0 unchanged\n")


_FAULTY = {
    "symbol": (FILE.replace("ETHUSDT", "ETHUSTD"), "symbol: unknown symbol 'ETHUSTD'"),
    "timeframe": (FILE.replace("1d", "7m"), "timeframes: unknown timeframe '7m'"),
    "unknown field": (FILE.replace("cron:", "crn:"), "configs.1.crn: "),
    "interval": (FILE.replace("15", "0"), "configs.0.interval_minutes: "),
    "alias": (FILE.replace('"30 2 * * *"', "*/5 * * * *"), "is not valid YAML"),
    "no YAML": ("[", "is not valid YAML"),
    "empty": ("", "file: "),
}


async def test_a_file_with_one_error_changes_nothing(penstock: Penstock) -> None:
    await penstock("migrate")
    for fault, (text, complaint) in _FAULTY.items():
        file = penstock.folder / "configs.yaml"
        file.write_text(text, encoding="utf-8")
        refused = await penstock("apply", "-f", str(file))
        assert (refused.code, complaint in refused.complaint) == (2, True), (fault, refused)
        assert (await penstock("config", "list", "--json")).json == [], fault


async def test_bad_input_creates_no_database(penstock: Penstock) -> None:
    refused = await penstock.all_of(
        "config add SOLUSTD --every 10",
        "config add SOLUSDT -t 7m",
        "config add SOLUSDT --every 0",
        "config edit 1",
        "apply -f nothing.yaml",
        "config list",
    )
    assert {ended.code for ended in refused[:-1]} == {2}
    assert "did you mean SOL/USDT" in refused[0].complaint
    assert refused[-1].code == 4
    assert not penstock.data.exists()
