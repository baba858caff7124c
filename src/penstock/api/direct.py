"""The application asked without a server: one call of ASGI is one request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message


class DirectRequest:
    """A request, and its answer once it was sent."""

    def __init__(self, method: str, path: str, body: bytes = b"", kind: str = "") -> None:
        self._method = method
        self._url = urlsplit(path)
        self._content = body
        self._kind = kind
        self.status = 0
        self.body = bytearray()

    async def sent(self, api: ASGIApp) -> DirectRequest:
        """Itself, answered by the application."""
        await api(self._scope(), self._receive, self._send)
        return self

    def _scope(self) -> dict[str, Any]:
        headers = [(b"host", b"localhost")]
        if self._content:
            headers.append((b"content-type", self._kind.encode()))
        return {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": self._method,
            "scheme": "http",
            "path": self._url.path,
            "raw_path": self._url.path.encode(),
            "query_string": self._url.query.encode(),
            "root_path": "",
            "headers": headers,
            "client": None,
            "server": None,
        }

    async def _receive(self) -> Message:
        return {"type": "http.request", "body": self._content, "more_body": False}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        else:
            self.body += message.get("body", b"")
