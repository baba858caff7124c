"""The WebSocket channel `inventory`: the state first, then each step of a sync and its decision."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from penstock.access.vault import new_key
from tests.api.collector import ENDED
from tests.api.seller import HELD_UP, OTHER, TOKEN, seller
from tests.api.websocket_client import Socket, socket
from tests.processes import start

if TYPE_CHECKING:
    from pathlib import Path

INVENTORY = {"channel": "inventory"}


def _shown(message: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in message.items() if name not in {"type", "seq"}}


async def _until_ended(client: Socket, task_id: str) -> list[dict[str, Any]]:
    states: list[dict[str, Any]] = []
    while not states or states[-1]["status"] not in ENDED:
        message = await client.next("inventory")
        if message["task_id"] == task_id:
            states.append(message)
    return states


async def test_a_sync_is_followed_step_by_step_and_so_is_its_decision(
    database_url: str, tmp_path: Path
) -> None:
    async with seller(database_url, tmp_path) as shop, socket(shop.service) as client:
        await client.subscribe(INVENTORY)
        await client.in_force()
        first = await shop.start()
        states = await _until_ended(client, first)
        assert [state["progress"] for state in states] == sorted(
            state["progress"] for state in states
        )
        assert _shown(states[-1]) == await shop.get(f"/syncs/{first}")
        await shop.edit(gone=33)
        held = await shop.start()
        assert (await _until_ended(client, held))[-1]["held"]
        await shop.call("POST", f"/syncs/{held}/approve")
        decided = await client.next("inventory")
        assert (decided["task_id"], decided["state"], decided["held"]) == (held, "published", False)


async def test_a_late_follower_first_gets_the_newest_sync_of_each_account(
    sqlite_database: str, tmp_path: Path
) -> None:
    async with (
        seller(sqlite_database, tmp_path) as shop,
        socket(shop.service) as client,
        socket(shop.service) as follower,
    ):
        await shop.synced()
        await shop.service.exchange.faults(HELD_UP)
        _, other = await shop.call("POST", "/accounts", {"name": "other", "token": OTHER})
        _, never = await shop.call("POST", "/accounts", {"name": "never", "token": OTHER})
        task_id = (await shop.call("POST", f"/accounts/{other['id']}/sync"))[1]["task_id"]
        await shop.service.until(
            lambda: shop.get(f"/syncs/{task_id}"), lambda sync: sync["phase"] == "export"
        )
        await client.subscribe(INVENTORY)
        messages = [await client.next("inventory") for _ in range(2)]
        assert [(message["account_id"], message["status"]) for message in messages] == [
            (shop.account_id, "completed"),
            (other["id"], "running"),
        ]
        await follower.subscribe(
            INVENTORY | {"account_id": never["id"]}, INVENTORY | {"account_id": other["id"]}
        )
        assert (await follower.next())["account_id"] == other["id"]
        again = await shop.start()
        await shop.service.call("POST", f"/task/{again}/cancel")
        await shop.service.call("POST", f"/task/{task_id}/cancel")
        assert (await _until_ended(follower, task_id))[-1]["status"] == "cancelled"
        assert {message["account_id"] for message in follower.received} == {other["id"]}


_ELSEWHERE = """
import asyncio, sys
from penstock.app import open_app
from penstock.domains.inventory import InventoryParts
from penstock.settings import load_settings

async def main(database, marketplace, folder):
    settings = load_settings(
        database_url=database, cardtrader_url=marketplace, export_folder=folder
    )
    async with open_app(settings) as app, app.working():
        sync = await app.of(InventoryParts).runs.sync(1)
        task_id = await app.ledger.submit(sync)
        print(task_id, flush=True)
        await asyncio.sleep(3600)

asyncio.run(main(*sys.argv[1:]))
"""


async def test_a_sync_of_another_process_is_followed(
    postgres_database: str, tmp_path: Path
) -> None:
    key = new_key()
    async with (
        seller(postgres_database, tmp_path, work=False, secret_key=key) as shop,
        socket(shop.service) as client,
    ):
        await client.subscribe(INVENTORY)
        await client.in_force()
        arguments = [postgres_database, shop.service.exchange.url, str(tmp_path / "elsewhere")]
        process = await start(
            "-c",
            _ELSEWHERE,
            *arguments,
            stderr=2,
            environment=os.environ | {"PENSTOCK_SECRET_KEY": key},
        )
        try:
            assert process.stdout is not None
            task_id = (await process.stdout.readline()).decode().strip()
            states = await _until_ended(client, task_id)
            assert (states[-1]["status"], states[-1]["state"], states[-1]["account_id"]) == (
                "completed",
                "published",
                shop.account_id,
            )
            assert TOKEN not in repr(states)
        finally:
            process.kill()
            await process.wait()
