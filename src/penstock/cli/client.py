"""The CLI as a client of a running service: what users script with curl, with the WebSocket for progress."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Self

import aiohttp

from penstock.errors import ConflictError, InvalidInputError, NotFoundError, PenstockError, SourceUnavailableError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from types import TracebackType

ENDED = frozenset({"completed", "failed", "cancelled"})

_TIMEOUT_S = 30.0
_PREFIX = "/api/v1/data-collector"
_ERRORS: Mapping[int, type[PenstockError]] = {404: NotFoundError, 409: ConflictError}


class ServiceClient:
    """Calls of one service; errors of the service come back as the errors they are there."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_TIMEOUT_S))
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._session is not None:
            await self._session.close()

    async def start(self, order: Mapping[str, object]) -> str:
        """Start a collection; gives its task id."""
        answer = await self._call("POST", f"{_PREFIX}/start", {name: value for name, value in order.items() if value is not None})
        return str(answer["task_id"])

    async def task(self, task_id: str) -> dict[str, Any]:
        """A task as it is now."""
        task: dict[str, Any] = await self._call("GET", f"{_PREFIX}/task/{task_id}")
        return task

    async def tasks(self) -> list[dict[str, Any]]:
        """The tasks that are active, or ended a short while ago."""
        answer: Any = await self._call("GET", f"{_PREFIX}/tasks")
        return list(answer["tasks"] if isinstance(answer, dict) else answer)

    async def cancel(self, task_id: str) -> dict[str, Any]:
        """Stop a task."""
        task: dict[str, Any] = await self._call("POST", f"{_PREFIX}/task/{task_id}/cancel")
        return task

    async def follow(self, task_id: str | None) -> AsyncIterator[dict[str, Any]]:
        """Each state of a task until it has ended, or, without one, of all tasks for ever; the present state first."""
        subscription = {"channel": "tasks"} | ({} if task_id is None else {"task_id": task_id})
        if task_id is not None and (task := await self.task(task_id))["status"] in ENDED:
            yield task
            return
        async with self._open().ws_connect(self._url + "/api/v1/ws", heartbeat=20) as socket:
            await socket.send_json({"subscribe": [subscription]})
            async for message in socket:
                told = json.loads(message.data)
                if told["type"] == "task" and task_id in {None, told["task_id"]}:
                    yield told
                    if task_id is not None and told["status"] in ENDED:
                        return
        message_text = f"the service at {self._url} has ended"
        raise SourceUnavailableError(message_text)

    async def _call(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Any:  # noqa: ANN401 - JSON
        try:
            async with self._open().request(method, self._url + path, json=body) as response:
                answer = await response.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            message = f"the service at {self._url} does not answer: {error}"
            raise SourceUnavailableError(message) from error
        if response.ok:
            return answer
        detail = str(answer.get("detail", answer))
        if response.status == InvalidInputError.http_status:
            raise InvalidInputError(detail, field=str(answer.get("field", "")))
        raise _ERRORS.get(response.status, PenstockError)(detail)

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            message = "the client is used outside of its `async with` block"
            raise RuntimeError(message)
        return self._session
