"""Cursors that hold more than a number: opaque to clients, and not trusted."""

from __future__ import annotations

import base64
import binascii
from typing import NoReturn, TypeVar

import msgspec

from penstock.errors import InvalidInputError

T = TypeVar("T")

LONGEST = 20_000


def cursor_of(key: tuple[object, ...]) -> str:
    """The cursor of the last row of a page."""
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).rstrip(b"=").decode()


def key_of(cursor: str, kind: type[T]) -> T:
    """The key of a cursor; InvalidInputError for one of another list."""
    try:
        text = base64.b64decode(
            cursor.encode() + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True
        )
        key = msgspec.json.decode(text, type=kind)
    except (binascii.Error, UnicodeError, msgspec.DecodeError, RecursionError):
        _wrong()
    # PostgreSQL has no NUL in a text.
    if b"\\u0000" in text:
        _wrong()
    return key


def _wrong() -> NoReturn:
    raise InvalidInputError(
        "cursor: it is not of this list; send the `next_cursor` of the page before, "
        "with the same sort",
        field="cursor",
    ) from None
