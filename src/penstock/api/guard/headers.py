"""Security headers of every answer: only our scripts, no frames, nothing of the API cached."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import Message, Send

    from penstock.api.guard.head import RequestHead

_CSP = b"content-security-policy"
_OWN = ("connect", "font", "img", "manifest", "script", "style")
_HEADERS = [
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
]
_NOT_KEPT = (b"cache-control", b"no-store")


def policy(nonce: str | None = None) -> str:
    """Only our own files; style elements too that carry the nonce of their page."""
    sources = dict.fromkeys(_OWN, "'self'")
    if nonce is not None:
        sources["style"] += f" 'nonce-{nonce}'"
    return "; ".join(
        (
            "default-src 'none'",
            *(f"{kind}-src {allowed}" for kind, allowed in sources.items()),
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )


_POLICY = (_CSP, policy().encode())


def with_headers(head: RequestHead, send: Send) -> Send:
    """A `send` that adds them; no header lets other sites read an answer (CORS)."""
    added = [*_HEADERS, _NOT_KEPT] if head.path.startswith("/api/") else _HEADERS

    async def send_with_headers(message: Message) -> None:
        if message["type"] in {"http.response.start", "websocket.http.response.start"}:
            given = message["headers"]
            has_policy = any(name == _CSP for name, _ in given)
            message = {**message, "headers": [*given, *added, *([] if has_policy else [_POLICY])]}
        await send(message)

    return send_with_headers
