"""A client of the WebSocket."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp import WSMsgType

from tests.api.collector import ENDED, PATIENCE_S, Collector

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


WS = "/api/v1/ws"


SERIES = {"channel": "market_data", "symbol": "BTC/USDT", "timeframe": "1m"}


TASKS = {"channel": "tasks"}


@dataclass
class Socket:
    """A client. Each message that it receives has the next number."""

    ws: aiohttp.ClientWebSocketResponse
    number: int = 0
    received: list[dict[str, Any]] = field(default_factory=list)

    async def subscribe(self, *channels: dict[str, Any]) -> None:
        await self.ws.send_json({"subscribe": channels})

    async def next(self, kind: str | None = None) -> dict[str, Any]:
        """The next message, or the next one of a type."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                frame = await self.ws.receive()
                assert frame.type is WSMsgType.TEXT, frame
                message: dict[str, Any] = json.loads(frame.data)
                self.number += 1
                assert message["seq"] == self.number
                self.received.append(message)
                if kind in {None, message["type"]}:
                    return message

    async def in_force(self) -> None:
        """Wait until all subscriptions so far are active; not every one gets an answer."""
        await self.subscribe(TASKS | {"task_id": "00000000-0000-0000-0000-000000000007"})
        assert (await self.next("error"))["field"] == "task_id"

    async def ended(self, task_id: str) -> list[dict[str, Any]]:
        """The states of a task from now to its end."""
        states: list[dict[str, Any]] = []
        while not states or states[-1]["status"] not in ENDED:
            message = await self.next("task")
            if message["task_id"] == task_id:
                states.append(message)
        return states

    async def closed(self) -> tuple[int | None, str]:
        """Close code and reason, after any remaining messages."""
        async with asyncio.timeout(PATIENCE_S):
            while (frame := await self.ws.receive()).type is WSMsgType.TEXT:
                pass
        return self.ws.close_code, str(frame.extra or "")


@contextlib.asynccontextmanager
async def socket(service: Collector) -> AsyncIterator[Socket]:
    async with service.session.ws_connect(WS) as ws:
        yield Socket(ws)
