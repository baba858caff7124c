"""Commands as clients of the API, of a service or of the application in this process."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol

from penstock.errors import (
    PenstockError,
    RunFailedError,
    StoreUnavailableError,
    TooManyRequestsError,
    error_of,
)
from penstock.opening import masked_url

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from penstock.cli.shown.text import Fields
    from penstock.settings import Settings

ENDED = frozenset({"completed", "failed", "cancelled"})
COLLECTOR = "/api/v1/data-collector"
TASK = f"{COLLECTOR}/task"

_TIMEOUT_S = 30.0
_PATIENT_S = 600.0
# Short at first: most tasks take less than a second.
_PAUSE_S, _LONGEST_PAUSE_S = 0.02, 0.5
_AWAY_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request; `kind` is the media type of the body."""

    method: str
    path: str
    body: bytes = b""
    kind: str = "application/json"
    timeout_s: float = _TIMEOUT_S


@dataclass(frozen=True, slots=True)
class Response:
    """A response; `json` is None without a body."""

    status: int
    json: Any


class Transport(Protocol):
    """The way to an API."""

    @property
    def url(self) -> str | None:
        """The service's address; None for the application in this process."""

    async def send(self, request: Request) -> Response:
        """The response; SourceUnavailableError when there is none."""

    async def stop(self) -> None:
        """Cancel the tasks of this process; a service continues its own."""


class ApiClient:
    """Calls the API and raises its errors as the exceptions they were there."""

    def __init__(self, transport: Transport, settings: Settings) -> None:
        self.transport = transport
        self._settings = settings

    @property
    def place(self) -> str:
        """The database, and the service that writes to it, in words."""
        database, url = masked_url(self._settings), self.transport.url
        return database if url is None else f"{database}, by the service at {url}"

    async def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None = None,
        *,
        patient: bool = False,
    ) -> Any:  # noqa: ANN401 - JSON
        """The JSON of the response; None when it is empty.

        `patient` waits 600 s instead of 30, for calls that write a lot.
        """
        sent = b"" if body is None else json.dumps(body).encode()
        timeout_s = _PATIENT_S if patient else _TIMEOUT_S
        request = Request(method=method, path=path, body=sent, timeout_s=timeout_s)
        return _read(await self.transport.send(request))

    async def upload(self, path: str, file: bytes, kind: str) -> Any:  # noqa: ANN401 - JSON
        """The JSON of the response to a file; `kind` is the file's media type."""
        request = Request(method="POST", path=path, body=file, kind=kind, timeout_s=_PATIENT_S)
        return _read(await self.transport.send(request))

    async def states(self, path: str) -> AsyncIterator[Fields]:
        """The states of a task or a sync until it ends.

        A database that is away is waited for, up to 60 s.
        """
        pause_s, seen_at = _PAUSE_S, time.monotonic()
        while True:
            try:
                state = await self.call("GET", path)
            except (StoreUnavailableError, TooManyRequestsError):
                if time.monotonic() - seen_at > _AWAY_S:
                    raise
            else:
                yield state
                if state["status"] in ENDED:
                    return
                seen_at = time.monotonic()
            await asyncio.sleep(pause_s)
            pause_s = min(_LONGEST_PAUSE_S, 1.5 * pause_s)


def _read(answer: Response) -> Any:  # noqa: ANN401 - JSON
    if answer.status < HTTPStatus.BAD_REQUEST:
        return answer.json
    problem = answer.json if isinstance(answer.json, dict) else {"detail": answer.json}
    raise _refusal(answer.status, problem)


def _refusal(status: int, problem: Fields) -> PenstockError:
    detail = str(problem.get("detail", problem))
    if status == HTTPStatus.UNAUTHORIZED:
        detail += "; commands send the token of PENSTOCK_TOKEN"
    code, field = (str(problem.get(name, "")) for name in ("code", "field"))
    return error_of(code, detail, field=field, task_id=problem.get("task_id"))


def failure_of(task: Fields) -> PenstockError:
    """The error of a task or sync that did not complete."""
    codes = (task["result"] or {}).get("error_codes") or {RunFailedError.code: 1}
    message = task["error"] or f"task {task['task_id']} was {task['status']}"
    return error_of(next(iter(codes)), message)
