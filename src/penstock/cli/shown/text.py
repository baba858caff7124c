"""Words and objects as the commands print them."""

from __future__ import annotations

import io
import math
import sys
from typing import TYPE_CHECKING, Any

from penstock.errors import InvalidInputError
from penstock.name import not_utf8

if TYPE_CHECKING:
    from collections.abc import Sequence

    # An object of the API, as JSON gives it.
    Fields = dict[str, Any]

_MINUTE_S, _HOUR_S = 60, 3_600


def let_consoles_replace() -> None:
    """Escape characters that a console's encoding lacks, instead of failing after the work."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def refuse_what_is_no_text(words: Sequence[str]) -> None:
    """InvalidInputError for an argument that is not UTF-8.

    It may hold a password, so the message does not show it.
    """
    for number, word in enumerate(words, start=1):
        if (why := not_utf8(word)) is not None:
            raise InvalidInputError(f"argument {number} {why}", field="argument")


def one_line(text: str) -> str:
    """The text on one line, without control characters."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())


def lasting(seconds: float) -> str:
    """`12 s`, `3 min 20 s`, `2 h 5 min`."""
    whole = math.ceil(seconds)
    if whole < _MINUTE_S:
        return f"{whole} s"
    if whole < _HOUR_S:
        return f"{whole // _MINUTE_S} min {whole % _MINUTE_S} s"
    return f"{whole // _HOUR_S} h {whole % _HOUR_S // _MINUTE_S} min"
