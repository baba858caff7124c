"""The CLI as a client of a running service: what users script with curl, with the WebSocket for progress."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Self

import aiohttp

from penstock.errors import (
    AccessError,
    ConflictError,
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    PenstockError,
    RetryableError,
    SourceUnavailableError,
)
from penstock.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from types import TracebackType

ENDED = frozenset({"completed", "failed", "cancelled"})

_TIMEOUT_S = 30.0
_PATIENT_S = 600.0
_PREFIX = "/api/v1/data-collector"
_ADMIN = "/api/v1/admin/data-collection"
_ERRORS: Mapping[int, type[PenstockError]] = {
    401: AccessError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    429: RetryableError,
    503: RetryableError,
}


class ServiceClient:
    """Calls of one service, with the token of the settings; errors of the service come back as the errors they are there."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        token = load_settings().token
        headers = {"Authorization": f"Bearer {token.get_secret_value()}"} if token else {}
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_TIMEOUT_S), headers=headers)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._session is not None:
            await self._session.close()

    async def start(self, order: Mapping[str, object]) -> str:
        """Start a collection; gives its task id."""
        answer = await self.call("POST", f"{_PREFIX}/start", {name: value for name, value in order.items() if value is not None})
        return str(answer["task_id"])

    async def task(self, task_id: str) -> dict[str, Any]:
        """A task as it is now."""
        task: dict[str, Any] = await self.call("GET", f"{_PREFIX}/task/{task_id}")
        return task

    async def tasks(self) -> list[dict[str, Any]]:
        """The tasks that are active, or ended a short while ago."""
        answer: Any = await self.call("GET", f"{_PREFIX}/tasks")
        return list(answer["tasks"] if isinstance(answer, dict) else answer)

    async def cancel(self, task_id: str) -> dict[str, Any]:
        """Stop a task."""
        task: dict[str, Any] = await self.call("POST", f"{_PREFIX}/task/{task_id}/cancel")
        return task

    async def admin(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Any:  # noqa: ANN401 - JSON
        """A call of the collection admin."""
        return await self.call(method, _ADMIN + path, body)

    async def follow(self, task_id: str | None) -> AsyncIterator[dict[str, Any]]:
        """Each state of a task until it has ended, or, without one, of all tasks for ever; the present state first."""
        subscription = {"channel": "tasks"} | ({} if task_id is None else {"task_id": task_id})
        if task_id is not None and (task := await self.task(task_id))["status"] in ENDED:
            yield task
            return
        async with await self._connected() as socket:
            await socket.send_json({"subscribe": [subscription]})
            async for message in socket:
                told = json.loads(message.data)
                if told["type"] == "task" and task_id in {None, told["task_id"]}:
                    yield told
                    if task_id is not None and told["status"] in ENDED:
                        return
        message_text = f"the service at {self.url} has ended"
        raise SourceUnavailableError(message_text)

    async def _connected(self) -> aiohttp.ClientWebSocketResponse:
        try:
            return await self._open().ws_connect(self.url + "/api/v1/ws", heartbeat=20)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise self._silent(error) from error

    async def call(self, method: str, path: str, body: Mapping[str, object] | None = None, *, patient: bool = False) -> Any:  # noqa: ANN401 - JSON
        """The JSON that a call answers; None for an empty answer. `patient`: the service has much to write before it answers."""
        return await self._answered(method, path, patient=patient, json=body)

    async def upload(self, path: str, file: bytes, kind: str) -> Any:  # noqa: ANN401 - JSON
        """The JSON that is answered to a file; `kind` is its media type."""
        return await self._answered("POST", path, patient=True, data=file, headers={"Content-Type": kind})

    async def _answered(self, method: str, path: str, *, patient: bool, **sent: Any) -> Any:  # noqa: ANN401 - JSON
        timeout = aiohttp.ClientTimeout(total=_PATIENT_S if patient else _TIMEOUT_S)
        try:
            async with self._open().request(method, self.url + path, timeout=timeout, **sent) as response:
                answer = await response.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise self._silent(error) from error
        if response.ok:
            return answer
        detail = str(answer.get("detail", answer))
        if response.status == AccessError.http_status:
            detail += "; commands send the one of PENSTOCK_TOKEN"
        if response.status == InvalidInputError.http_status:
            raise InvalidInputError(detail, field=str(answer.get("field", "")))
        raise _ERRORS.get(response.status, PenstockError)(detail)

    def _silent(self, error: Exception) -> SourceUnavailableError:
        why = "nothing listens there, or it cannot be reached" if isinstance(error, aiohttp.ClientConnectorError) else str(error)
        return SourceUnavailableError(f"the service at {self.url} does not answer: {why}")

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            message = "the client is used outside of its `async with` block"
            raise RuntimeError(message)
        return self._session
