"""The WebSocket sends numbered messages of subscriptions, the current state first."""

from __future__ import annotations

import asyncio
import json

import aiohttp
import pytest

from penstock.api.live.hub import HubOptions
from penstock.api.server import ServeOptions
from tests.api.collector import SILENT, collector
from tests.api.configs import CONFIG, CONFIGS, add
from tests.api.websocket_client import SERIES, TASKS, WS, Socket, socket
from tests.processes import start
from tests.simulated import MINUTE, NOW


async def test_a_task_is_followed_step_by_step(database_url: str) -> None:
    async with collector(database_url) as service, socket(service) as client:
        await client.subscribe(TASKS)
        await client.in_force()
        task_id = await service.start("BTCUSDT ETH/USDT", "1m 5m")
        states = await client.ended(task_id)
        progress = [state["progress"] for state in states]
        assert progress == sorted(progress)
        assert states[-1]["status"] == "completed"
        assert {
            name: value for name, value in states[-1].items() if name not in {"type", "seq"}
        } == await service.task(task_id)


async def test_stored_candles_are_sent_with_the_symbol_as_requested(
    database_url: str,
) -> None:
    async with (
        collector(database_url) as service,
        socket(service) as unified,
        socket(service) as native,
    ):
        await service.collect("BTCUSDT ETHUSDT")
        await unified.subscribe(SERIES)
        await native.subscribe(SERIES | {"symbol": "btcusdt"})
        first = await unified.next()
        assert (first["type"], first["symbol"], first["exchange"], first["timeframe"]) == (
            "market_data",
            "BTC/USDT",
            "binance",
            "1m",
        )
        assert (first["closed"], first["candle"]["closed"]) == (False, False)
        assert isinstance(first["candle"]["close"], str)
        assert (await native.next())["symbol"] == "btcusdt"
        newest = (await service.get("/api/v1/candles?symbol=BTCUSDT&timeframe=1m&limit=1"))[
            "candles"
        ]
        assert [first["candle"]] == newest
        await service.exchange.move_to(NOW + 2 * MINUTE)
        await service.collect("BTCUSDT ETHUSDT")
        stored = (await service.get("/api/v1/candles?symbol=BTCUSDT&timeframe=1m&limit=3"))[
            "candles"
        ]
        for client in (unified, native):
            assert [(await client.next())["candle"] for _ in stored] == stored
        assert [message["closed"] for message in native.received[1:]] == [True, True, False]


async def test_a_late_subscriber_gets_the_current_state_first(sqlite_database: str) -> None:
    async with collector(sqlite_database) as service, socket(service) as client:
        ended = await service.start("ETHUSDT")
        await service.ended(ended)
        await service.exchange.faults(SILENT)
        task_id = await service.start("BTCUSDT")
        await service.running(task_id)
        await client.subscribe(TASKS, SERIES | {"symbol": "ETH/USDT"}, TASKS | {"task_id": ended})
        messages = [await client.next() for _ in range(3)]
        assert [message["type"] for message in messages] == ["task", "market_data", "task"]
        assert (messages[0]["task_id"], messages[0]["status"]) == (task_id, "running")
        assert (messages[2]["task_id"], messages[2]["status"]) == (ended, "completed")


async def test_one_task_can_be_followed_alone(sqlite_database: str) -> None:
    async with collector(sqlite_database) as service, socket(service) as client:
        await service.exchange.faults(SILENT)
        followed, other = await service.start("BTCUSDT"), await service.start("ETHUSDT")
        await client.subscribe(TASKS | {"task_id": followed})
        assert (await client.next())["task_id"] == followed
        for task_id in (other, followed):
            await service.call("POST", f"/task/{task_id}/cancel")
            await service.ended(task_id)
        assert (await client.ended(followed))[-1]["status"] == "cancelled"
        assert {message["task_id"] for message in client.received} == {followed}


async def test_a_series_can_be_followed_before_its_first_collection(sqlite_database: str) -> None:
    async with collector(sqlite_database) as service, socket(service) as client:
        await client.subscribe(SERIES)
        await client.in_force()
        await service.collect("BTCUSDT")
        message = await client.next("market_data")
        assert (message["symbol"], message["closed"]) == ("BTC/USDT", False)


async def test_unsubscribing_by_either_name_stops_the_messages(sqlite_database: str) -> None:
    async with collector(sqlite_database) as service, socket(service) as client:
        await service.collect("BTCUSDT ETHUSDT")
        await client.subscribe(SERIES, SERIES | {"symbol": "ETHUSDT"})
        await client.ws.send_json({"unsubscribe": [SERIES | {"symbol": "BTCUSDT"}, TASKS]})
        await client.in_force()
        client.received.clear()
        await service.exchange.move_to(NOW + MINUTE)
        await service.collect("BTCUSDT ETHUSDT")
        for _ in range(2):
            assert (await client.next())["symbol"] == "ETHUSDT"
        await client.in_force()
        assert {message.get("symbol") for message in client.received} == {"ETHUSDT", None}


async def test_candles_skipped_after_a_very_large_write_are_announced(
    sqlite_database: str,
) -> None:
    async with collector(sqlite_database) as service, socket(service) as client:
        await service.collect("BTCUSDT")
        await client.subscribe(SERIES)
        await client.next()
        await service.exchange.move_to(NOW + 50 * MINUTE)
        await service.collect("BTCUSDT")
        assert "more candles of BTC/USDT 1m" in (await client.next())["reason"]
        stored = (await service.get("/api/v1/candles?symbol=BTCUSDT&timeframe=1m&limit=10"))[
            "candles"
        ]
        assert [(await client.next())["candle"] for _ in stored] == stored


BAD_MESSAGES = [
    ("what", "message"),
    ("[]", "message"),
    ("{}", "message"),
    ('{"subscribe": 1}', "subscribe"),
    ('{"subscribe": [{"channel": "weather"}]}', "subscribe[0].channel"),
    ('{"subscribe": [{"channel": "market_data", "symbol": "BTCUSDT"}]}', "subscribe[0]"),
    ('{"subscribe": [{"channel": "tasks", "colour": "red"}]}', "subscribe[0]"),
    ('{"subscribe": [{"channel": "tasks", "task_id": "7"}]}', "subscribe[0].task_id"),
    (
        '{"subscribe": [{"channel": "market_data", "symbol": "BTCUSDT", "timeframe": "7m"}]}',
        "timeframe",
    ),
    (
        '{"subscribe": [{"channel": "market_data", "symbol": "BTCUSTD", "timeframe": "1m"}]}',
        "symbol",
    ),
    (
        '{"subscribe": [{"channel": "market_data", "symbol": "B\\u0000USDT", "timeframe": "1m"}]}',
        "symbol",
    ),
    (
        (
            '{"subscribe":[{"channel":"market_data","symbol":"BTCUSDT","timeframe":"1m",'
            '"exchange":"b"}]}'
        ),
        "exchange",
    ),
    ('{"subscribe": [{"channel": "inventory", "account_id": 7}]}', "account_id"),
    (
        '{"subscribe": [{"channel": "inventory", "account_id": 99999999999999999999}]}',
        "subscribe[0].account_id",
    ),
    ('{"unsubscribe": [{"channel": "weather"}]}', "unsubscribe[0].channel"),
]


async def test_a_bad_message_is_answered_and_the_socket_stays_open(
    sqlite_database: str, subtests: pytest.Subtests
) -> None:
    async with collector(sqlite_database) as service:
        await service.collect("BTCUSDT")
        for message, name in BAD_MESSAGES:
            with subtests.test(message):
                async with socket(service) as client:
                    await client.ws.send_str(message)
                    error = await client.next()
                    assert (error["type"], error["code"], error["field"]) == (
                        "error",
                        "invalid_input",
                        name,
                    )
                    assert error["detail"].startswith(f"{name}: ")
                    await client.ws.send_bytes(json.dumps({"subscribe": [SERIES]}).encode())
                    assert (await client.next())["type"] == "market_data"


async def test_a_change_of_configs_is_told_once_with_no_more_than_that(database_url: str) -> None:
    async with collector(database_url, work=False) as service, socket(service) as client:
        await add(service)
        await client.subscribe({"channel": "configs"})
        await client.in_force()
        for method, path, body in (
            ("POST", CONFIGS, CONFIG | {"symbol": "BTCUSDT"}),
            ("PUT", f"{CONFIGS}/1", {"interval_minutes": 30}),
            ("POST", f"{CONFIGS}/1/disable", None),
            ("DELETE", f"{CONFIGS}/2", None),
        ):
            status, _ = await service.call(method, path, body)
            assert status < 300
            message = await client.next()
            assert (message["type"], message["changed"]) == ("configs", True)


async def test_a_channel_without_messages_is_accepted(sqlite_database: str) -> None:
    async with collector(sqlite_database, work=False) as service, socket(service) as client:
        await client.subscribe({"channel": "alert"})
        await client.in_force()
        assert client.number == 1


async def test_messages_and_subscriptions_are_bounded(sqlite_database: str) -> None:
    options = ServeOptions(ping_s=600, hub=HubOptions(channels=2))
    async with collector(sqlite_database, work=False, options=options) as service:
        async with socket(service) as client:
            await client.subscribe({"channel": "inventory"}, {"channel": "alert"}, TASKS)
            assert (await client.next())["field"] == "subscribe"
        async with socket(service) as client:
            await client.ws.send_str("x" * 70_000)
            assert (await client.closed())[0] == 1009


async def test_a_websocket_from_another_site_is_refused(
    sqlite_database: str, subtests: pytest.Subtests
) -> None:
    async with collector(sqlite_database, work=False) as service:
        for headers in (
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Host": "evil.example"},
        ):
            with subtests.test(str(headers)):
                with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                    await service.session.ws_connect(WS, headers=headers)
                assert refused.value.status == 403
        async with service.session.ws_connect(WS, headers={"Origin": service.url}) as ws:
            await ws.send_json({"subscribe": [TASKS]})


async def test_clients_are_told_that_the_service_ends(sqlite_database: str) -> None:
    async with aiohttp.ClientSession() as session:
        async with collector(sqlite_database) as service:
            client = Socket(await session.ws_connect(service.url + WS))
            await client.subscribe(TASKS)
            await client.in_force()
            closed = asyncio.create_task(client.closed())
        assert (await closed)[0] == 1012


_ELSEWHERE = """
import asyncio, sys
from penstock.app import open_app
from penstock.market.runs.orders import CollectOrder
from penstock.script import collect_into
from penstock.settings import load_settings

async def main(database, exchange):
    settings = load_settings(database_url=database, binance_url=exchange)
    async with open_app(settings) as app:
        report = await collect_into(app, CollectOrder(symbols=["BTCUSDT"], timeframes=["1m"]))
        print(report.task_id)

asyncio.run(main(*sys.argv[1:]))
"""


async def test_a_run_of_another_process_is_shown(postgres_database: str) -> None:
    async with collector(postgres_database, work=False) as service, socket(service) as client:
        await client.subscribe(TASKS, SERIES)
        await client.in_force()
        process = await start("-c", _ELSEWHERE, postgres_database, service.exchange.url, stderr=2)
        output, _ = await process.communicate()
        task_id = output.decode().split()[-1]
        assert (await client.ended(task_id))[-1]["status"] == "completed"
        while not any(message["type"] == "market_data" for message in client.received):
            await client.next()
