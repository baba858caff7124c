"""CardTrader's error bodies, and the prefix of the paths that answer with them."""

from __future__ import annotations

import uuid

import msgspec
from aiohttp import web

PREFIX = "/api/v2"
_TOO_MANY = b'{"error":"Too many requests: max 200 requests per 10 seconds"}'


class RefusedError(Exception):
    """The request is answered with `status` and the documented body."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


def refusal(status: int, code: str, message: str) -> web.Response:
    """The documented error body."""
    body = {
        "error_code": code,
        "errors": [],
        "extra": {"message": message},
        "request_id": str(uuid.uuid4()),
    }
    return web.Response(
        status=status, body=msgspec.json.encode(body), content_type="application/json"
    )


def too_many() -> web.Response:
    """429, with a body of another form and no Retry-After."""
    return web.Response(status=429, body=_TOO_MANY, content_type="application/json")
