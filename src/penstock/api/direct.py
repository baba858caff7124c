"""The application asked without a server: one call of ASGI is one request."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message


async def ask(
    api: ASGIApp, method: str, path: str, body: bytes = b"", kind: str = ""
) -> tuple[int, bytes]:
    """The status and the body that the application answers; `kind` is the body's type."""
    url = urlsplit(path)
    headers = [(b"host", b"localhost")]
    if body:
        headers.append((b"content-type", kind.encode()))
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(url.path),
        "raw_path": url.path.encode(),
        "query_string": url.query.encode(),
        "root_path": "",
        "headers": headers,
        "client": None,
        "server": None,
    }
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await api(scope, receive, send)
    start, *rest = sent
    return start["status"], b"".join(message.get("body", b"") for message in rest)
