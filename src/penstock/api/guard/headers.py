"""Security headers of every answer: only our scripts, no frames, nothing of the API cached."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import Message, Send

    from penstock.api.guard.head import RequestHead

_POLICY = "; ".join(
    (
        "default-src 'none'",
        *(
            f"{kind}-src 'self'"
            for kind in ("connect", "font", "img", "manifest", "script", "style")
        ),
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
_HEADERS = [
    (b"content-security-policy", _POLICY.encode()),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
]
_NOT_KEPT = (b"cache-control", b"no-store")


def with_headers(head: RequestHead, send: Send) -> Send:
    """A `send` that adds them; no header lets other sites read an answer (CORS)."""
    added = [*_HEADERS, _NOT_KEPT] if head.path.startswith("/api/") else _HEADERS

    async def send_with_headers(message: Message) -> None:
        if message["type"] in {"http.response.start", "websocket.http.response.start"}:
            message = {**message, "headers": [*message["headers"], *added]}
        await send(message)

    return send_with_headers
