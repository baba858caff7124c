"""A client that knows where a service is and has a token of each scope."""

from __future__ import annotations

import asyncio
import http.client
import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlsplit

import aiohttp

from penstock.errors import SourceMisfitError, SourceRefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    # A method, a path and a body.
    Call: TypeAlias = tuple[str, str, bytes | None]

# The catalogue of a seller takes a minute where many others are busy.
_ANSWER_S = 600
COLLECTOR = "/api/v1/data-collector"
TASKS = f"{COLLECTOR}/tasks"
REFRESH = f"{COLLECTOR}/refresh-symbols"
ACTIVE = {"pending", "running"}
_OF_PROVIDER = {SourceRefusedError.code, SourceMisfitError.code}


@dataclass(frozen=True)
class Answer:
    """The answer to a request."""

    status: int
    body: bytes
    retry_after: bool

    @property
    def json(self) -> Any:  # noqa: ANN401 - JSON
        return json.loads(self.body)

    @property
    def may_pass(self) -> bool:
        """Whether it is no failure of ours.

        A database that is away says when to come back, and a provider that refuses us is named.
        """
        if self.status == 502:
            return str(self.json["code"]) in _OF_PROVIDER
        return self.status < 500 or (self.status == 503 and self.retry_after)


@dataclass(frozen=True)
class Door:
    """Where a service is, and a token of each scope."""

    url: str
    tokens: Mapping[str, str]

    def call(
        self,
        method: str,
        target: str,
        *,
        scope: str | None = "admin",
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        """The answer to one request on a connection of its own."""
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=_ANSWER_S)
        token = {"Authorization": f"Bearer {self.tokens[scope]}"} if scope else {}
        try:
            connection.request(method, target, body, {**token, **(headers or {})})
            answer = connection.getresponse()
            return Answer(answer.status, answer.read(), answer.headers["Retry-After"] is not None)
        finally:
            connection.close()

    async def called_at_once(self, calls: Iterable[Call]) -> list[Answer]:
        """The answers to requests that are sent at the same moment.

        One thread sends them: hundreds would take the processors from the service.
        """
        headers = {"Authorization": f"Bearer {self.tokens['admin']}", "Content-Type": "text/csv"}

        async def asked(method: str, target: str, body: bytes | None) -> Answer:
            async with session.request(method, target, data=body and io.BytesIO(body)) as answer:
                again = "Retry-After" in answer.headers
                return Answer(answer.status, await answer.read(), again)

        async with aiohttp.ClientSession(
            self.url,
            connector=aiohttp.TCPConnector(limit=0),
            headers=headers,
            timeout=aiohttp.ClientTimeout(_ANSWER_S),
        ) as session:
            return await asyncio.gather(*(asked(*call) for call in calls))

    def get(self, target: str) -> Any:  # noqa: ANN401 - JSON
        """The JSON of a page that exists."""
        answer = self.call("GET", target)
        assert answer.status == 200, answer
        return answer.json

    def post(self, target: str, body: object = None) -> Any:  # noqa: ANN401 - JSON
        """The JSON of the answer to a change that is accepted."""
        sent = None if body is None else json.dumps(body).encode()
        typed = {"Content-Type": "application/json"}
        answer = self.call("POST", target, headers=typed, body=sent)
        assert answer.status in {200, 201, 202}, answer
        return answer.json

    def ended(self, task_id: str) -> dict[str, Any]:
        """A task once it has ended."""
        while True:
            task: dict[str, Any] = self.get(f"{COLLECTOR}/task/{task_id}")
            if task["status"] not in ACTIVE:
                return task

    def assert_healed(self) -> None:
        """Assert that it is ready, and that what is active can be stopped."""
        assert self.get("/readyz")["status"] == "ok"
        while active := self.get(f"{TASKS}/active?limit=500")["tasks"]:
            for task in active:
                path = f"{COLLECTOR}/task/{task['task_id']}"
                assert self.call("POST", f"{path}/cancel").status in {200, 409}
            for task in active:
                self.ended(task["task_id"])
        self.get(TASKS)
