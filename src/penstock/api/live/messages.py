"""Messages of the WebSocket as text, encoded once for all who get them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.api.schemas.shape import Shape, encoded
from penstock.errors import InvalidInputError

if TYPE_CHECKING:
    from penstock.errors import PenstockError


class _Resync(Shape):
    """Messages were left out; the present state of all that the client follows comes next."""

    reason: str


class _Error(Shape):
    """What cannot be done."""

    code: str
    field: str | None = None
    detail: str


def message(kind: str, shape: Shape) -> str:
    """A message without its end, which `numbered` adds: each client has numbers of its own."""
    return f'{{"type":"{kind}",{encoded(shape)[1:-1].decode()}'


def numbered(message: str, number: int) -> str:
    """The whole message."""
    return f'{message},"seq":{number}}}'


def resync_message(reason: str) -> str:
    """The message that others were left out."""
    return message("resync", _Resync(reason=reason))


def error_message(error: PenstockError) -> str:
    """The answer to what cannot be done."""
    field = {"field": error.field} if isinstance(error, InvalidInputError) else {}
    shape = _Error.made({"code": error.code, **field, "detail": str(error)})
    return message("error", shape)
