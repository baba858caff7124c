"""The API of a service over HTTP, and its WebSocket."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING

import aiohttp

from penstock.access.own_token import read_token
from penstock.cli.client import Response
from penstock.errors import SourceUnavailableError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from penstock.cli.client import Request
    from penstock.cli.shown.text import Fields
    from penstock.settings import Settings


@contextlib.asynccontextmanager
async def service_at(url: str, settings: Settings) -> AsyncIterator[Service]:
    """The service at an address.

    Requests carry the token of the settings, else the one that a service of our user wrote for us.
    """
    given = settings.token
    token = read_token(url) if given is None else given.get_secret_value()
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        yield Service(url.rstrip("/"), session)


class Service:
    """The transport to a service."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url = url
        self._session = session

    async def send(self, request: Request) -> Response:
        timeout = aiohttp.ClientTimeout(total=request.timeout_s)
        sent: Fields = {"timeout": timeout}
        if request.body:
            sent |= {"data": request.body, "headers": {"Content-Type": request.kind}}
        calling = self._session.request(request.method, self.url + request.path, **sent)
        with self._reached():
            async with calling as response:
                return Response(response.status, await response.json(content_type=None))

    async def stop(self) -> None:
        """Nothing to do: the service continues its tasks."""

    async def updates(self, task_id: str | None) -> AsyncIterator[Fields]:
        """The present state and each change, of one task or of all."""
        subscription = {"channel": "tasks"} | ({} if task_id is None else {"task_id": task_id})
        with self._reached():
            connected = await self._session.ws_connect(self.url + "/api/v1/ws", heartbeat=20)
        async with connected as socket:
            await socket.send_json({"subscribe": [subscription]})
            async for message in socket:
                state = json.loads(message.data)
                if state["type"] == "task" and task_id in {None, state["task_id"]}:
                    yield state
        raise SourceUnavailableError(f"the service at {self.url} has ended")

    @contextlib.contextmanager
    def _reached(self) -> Iterator[None]:
        """SourceUnavailableError if the service does not answer in the block."""
        try:
            yield
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            why = str(error)
            if isinstance(error, aiohttp.ClientConnectorError):
                why = "nothing listens there, or the host is unreachable"
            raise SourceUnavailableError(
                f"the service at {self.url} does not answer: {why}"
            ) from error
