"""`/api/v1/ws`: candles as they are stored, the steps of tasks and syncs, and alerts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, WebSocket

from penstock.api.live.evict import evictor
from penstock.api.live.feeds.channels import parse
from penstock.api.live.feeds.messages import error_message
from penstock.api.routes.parts import HubDep
from penstock.errors import InvalidInputError
from penstock.loop import background

if TYPE_CHECKING:
    from starlette.types import Message

    from penstock.api.live.client import Subscriber
    from penstock.api.live.hub import Hub

router = APIRouter(prefix="/api/v1")


@router.websocket("/ws")
async def follow(websocket: WebSocket, hub: HubDep) -> None:
    """Send a client what it subscribes to, until the client or the service closes."""
    await websocket.accept()
    with hub.joined(websocket.send_text, evictor(websocket.scope)) as client:
        async with background(client.pump(), "client"):
            while (message := await websocket.receive())["type"] == "websocket.receive":
                _take(hub, client, message)


def _take(hub: Hub, client: Subscriber, message: Message) -> None:
    try:
        hub.order(client, parse(message.get("text") or message.get("bytes") or b""))
    except InvalidInputError as error:
        client.put(error_message(error))
