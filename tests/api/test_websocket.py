"""The WebSocket: what is subscribed to comes, numbered, the present state first; who is behind is told, who does not read is cut off."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket as sockets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp import WSMsgType
from sqlalchemy import text

from penstock.api.live.hub import HubOptions
from penstock.api.server import ServeOptions
from penstock.runs.events import EventsLost, RowsStored
from tests.api.collector import ENDED, PATIENCE_S, SILENT, Collector, collector
from tests.processes import start
from tests.simulated import MINUTE, NOW

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

WS = "/api/v1/ws"
SERIES = {"channel": "market_data", "symbol": "BTC/USDT", "timeframe": "1m"}
TASKS = {"channel": "tasks"}


@dataclass
class Socket:
    """A client. Whatever it is sent has the next number."""

    ws: aiohttp.ClientWebSocketResponse
    number: int = 0
    told: list[dict[str, Any]] = field(default_factory=list)

    async def subscribe(self, *channels: dict[str, Any]) -> None:
        await self.ws.send_json({"subscribe": channels})

    async def next(self, kind: str | None = None) -> dict[str, Any]:
        """The next message, or the next of a kind."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                frame = await self.ws.receive()
                assert frame.type is WSMsgType.TEXT, frame
                message: dict[str, Any] = json.loads(frame.data)
                self.number += 1
                assert message["seq"] == self.number
                self.told.append(message)
                if kind in {None, message["type"]}:
                    return message

    async def in_force(self) -> None:
        """Wait until everything asked for so far has been done, of which a subscription without a state says nothing."""
        await self.subscribe(TASKS | {"task_id": "00000000-0000-0000-0000-000000000007"})
        assert (await self.next("error"))["field"] == "task_id"

    async def ended(self, task_id: str) -> list[dict[str, Any]]:
        """The states of a task from here to its end."""
        states: list[dict[str, Any]] = []
        while not states or states[-1]["status"] not in ENDED:
            message = await self.next("task")
            if message["task_id"] == task_id:
                states.append(message)
        return states

    async def closed(self) -> tuple[int | None, str]:
        """Code and reason of the end, after whatever still comes."""
        async with asyncio.timeout(PATIENCE_S):
            while (frame := await self.ws.receive()).type is WSMsgType.TEXT:
                pass
        return self.ws.close_code, str(frame.extra or "")


@contextlib.asynccontextmanager
async def socket(service: Collector) -> AsyncIterator[Socket]:
    async with service.session.ws_connect(WS) as ws:
        yield Socket(ws)


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


async def test_candles_come_after_they_were_stored_in_the_form_that_was_asked_for(
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
        assert [message["closed"] for message in native.told[1:]] == [True, True, False]


async def test_a_late_subscriber_gets_the_present_state_first(sqlite_database: str) -> None:
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
        assert {message["task_id"] for message in client.told} == {followed}


async def test_a_series_can_be_followed_before_it_was_ever_collected(sqlite_database: str) -> None:
    async with collector(sqlite_database) as service, socket(service) as client:
        await client.subscribe(SERIES)
        await client.in_force()
        await service.collect("BTCUSDT")
        message = await client.next("market_data")
        assert (message["symbol"], message["closed"]) == ("BTC/USDT", False)


async def test_what_is_unsubscribed_by_any_of_its_names_comes_no_more(sqlite_database: str) -> None:
    async with collector(sqlite_database) as service, socket(service) as client:
        await service.collect("BTCUSDT ETHUSDT")
        await client.subscribe(SERIES, SERIES | {"symbol": "ETHUSDT"})
        await client.ws.send_json({"unsubscribe": [SERIES | {"symbol": "BTCUSDT"}, TASKS]})
        await client.in_force()
        client.told.clear()
        await service.exchange.move_to(NOW + MINUTE)
        await service.collect("BTCUSDT ETHUSDT")
        for _ in range(2):
            assert (await client.next())["symbol"] == "ETHUSDT"
        await client.in_force()
        assert {message.get("symbol") for message in client.told} == {"ETHUSDT", None}


async def test_what_is_stored_at_once_beyond_measure_is_not_skipped_silently(
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
        '{"subscribe": [{"channel": "market_data", "symbol": "BTC\\u0000USDT", "timeframe": "1m"}]}',
        "symbol",
    ),
    (
        '{"subscribe": [{"channel": "market_data", "symbol": "BTCUSDT", "timeframe": "1m", "exchange": "bonance"}]}',
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


async def test_a_channel_without_anything_to_tell_is_accepted(sqlite_database: str) -> None:
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


async def test_a_page_of_another_site_is_not_let_in(
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


MANY = ["BTCUSDT", "ETHUSDT", "BNBUSDT", "SOLUSDT", "XRPUSDT", "ADAUSDT", "DOGEUSDT", "TRXUSDT"]
EACH = [SERIES | {"symbol": symbol} for symbol in MANY]


@contextlib.asynccontextmanager
async def narrow_socket(service: Collector) -> AsyncIterator[Socket]:
    """A client over a connection that holds little, so that it is full soon when the client does not read."""

    def factory(address: tuple[Any, ...]) -> sockets.socket:
        made = sockets.socket(*address[:3])
        made.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4_096)
        return made

    connector = aiohttp.TCPConnector(socket_factory=factory)
    async with (
        aiohttp.ClientSession(service.url, connector=connector) as session,
        session.ws_connect(WS) as ws,
    ):
        yield Socket(ws)


async def _store(service: Collector, times: int) -> None:
    """Change the newest candle of each series so many times."""
    change = text("UPDATE candle SET trades = trades + 1 WHERE NOT closed")
    for _ in range(times):
        await service.app.database.write(lambda connection: connection.execute(change))
        service.app.database.events.publish(
            *(RowsStored("candle", series) for series in range(1, len(MANY) + 1))
        )


async def _store_until(service: Collector, counter: str) -> None:
    """The same until a counter of /metrics is one."""

    async def counted() -> str:
        await _store(service, 10)
        async with service.session.get("/metrics") as answer:
            return await answer.text()

    await service.until(
        counted, lambda metrics: f"penstock_websocket_{counter}_total 1.0" in metrics
    )


async def test_a_client_that_falls_behind_is_told_and_gets_the_present_state(
    sqlite_database: str,
) -> None:
    options = ServeOptions(ping_s=600, hub=HubOptions(queue=20, stuck_s=600, pause_s=0))
    async with (
        collector(sqlite_database, options=options) as service,
        narrow_socket(service) as client,
    ):
        await service.collect(" ".join(MANY), limit=1)
        await client.subscribe(*EACH)
        await client.next()
        await _store_until(service, "resyncs")
        assert "more slowly than messages come" in (await client.next("resync"))["reason"]
        state = {(message := await client.next())["symbol"]: message["candle"] for _ in MANY}
        for symbol in MANY:
            newest = await service.get(f"/api/v1/candles?symbol={symbol}&timeframe=1m&limit=1")
            assert [state[symbol]] == newest["candles"]


async def test_a_client_that_does_not_take_its_messages_is_cut_off_and_the_others_go_on(
    sqlite_database: str,
) -> None:
    options = ServeOptions(ping_s=600, hub=HubOptions(queue=20, stuck_s=2, sweep_s=0.1, pause_s=0))
    async with (
        collector(sqlite_database, options=options) as service,
        narrow_socket(service) as mute,
        socket(service) as client,
    ):
        await service.collect(" ".join(MANY), limit=1)
        for each in (mute, client):
            await each.subscribe(*EACH)
            await each.next()
        reading = asyncio.create_task(_read_on(client))
        await _store_until(service, "evictions")
        before = client.number
        await _store(service, 1)
        await service.until(
            lambda: asyncio.sleep(0.01, client.number), lambda number: number > before
        )
        reading.cancel()
        assert (await mute.closed())[0] in {1006, 1008}


async def _read_on(client: Socket) -> None:
    while True:
        await client.next()


async def test_a_client_that_does_not_answer_a_ping_is_cut_off(sqlite_database: str) -> None:
    async with (
        collector(sqlite_database, work=False, options=ServeOptions(ping_s=2)) as service,
        service.session.ws_connect(WS, autoping=False) as deaf,
        socket(service) as client,
    ):
        await deaf.send_json({"subscribe": [TASKS]})
        reading = asyncio.create_task(_read_on(client))
        async with asyncio.timeout(PATIENCE_S):
            while (await deaf.receive()).type is WSMsgType.PING:
                pass
        assert deaf.close_code == 1011
        assert not reading.done()
        reading.cancel()


async def test_lost_events_are_told_with_the_state_that_they_led_to(sqlite_database: str) -> None:
    async with collector(sqlite_database) as service, socket(service) as client:
        await service.exchange.faults(SILENT)
        task_id = await service.start("BTCUSDT")
        await client.subscribe(TASKS)
        await service.call("POST", f"/task/{task_id}/cancel")
        await service.ended(task_id)
        await client.in_force()
        service.app.database.events.publish(EventsLost())
        assert "missed" in (await client.next("resync"))["reason"]
        task = await client.next("task")
        assert (task["task_id"], task["status"]) == (task_id, "cancelled")


async def test_the_end_of_the_service_is_told(sqlite_database: str) -> None:
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
from penstock.market.orders import CollectOrder
from penstock.script import collect_into
from penstock.settings import load_settings

async def main(database, exchange):
    settings = load_settings(database_url=database, binance_url=exchange)
    async with open_app(settings) as app:
        report = await collect_into(app, CollectOrder(symbols=["BTCUSDT"], timeframes=["1m"]))
        print(report.task_id)

asyncio.run(main(*sys.argv[1:]))
"""


async def test_a_run_of_another_process_is_seen(postgres_database: str) -> None:
    async with collector(postgres_database, work=False) as service, socket(service) as client:
        await client.subscribe(TASKS, SERIES)
        await client.in_force()
        process = await start("-c", _ELSEWHERE, postgres_database, service.exchange.url, stderr=2)
        output, _ = await process.communicate()
        task_id = output.decode().split()[-1]
        assert (await client.ended(task_id))[-1]["status"] == "completed"
        while not any(message["type"] == "market_data" for message in client.told):
            await client.next()
