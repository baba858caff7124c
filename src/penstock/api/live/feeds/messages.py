"""Messages of the WebSocket as text, encoded once for all who get them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.api.schemas.shape import encoded
from penstock.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from penstock.api.schemas.shape import Shape
    from penstock.errors import PenstockError


def message(kind: str, content: Shape | Mapping[str, object]) -> str:
    """A message without its end; `numbered` adds that, since each client has its own numbers."""
    return f'{{"type":"{kind}",{encoded(content)[1:-1].decode()}'


def numbered(message: str, number: int) -> str:
    """The whole message."""
    return f'{message},"seq":{number}}}'


def resync_message(reason: str) -> str:
    """The message that some were left out and that the present state follows."""
    return message("resync", {"reason": reason})


def error_message(error: PenstockError) -> str:
    """The answer to what cannot be done."""
    field = {"field": error.field} if isinstance(error, InvalidInputError) else {}
    return message("error", {"code": error.code, **field, "detail": str(error)})
