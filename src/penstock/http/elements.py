"""The elements of a JSON array, found one by one, in linear time and bounded memory.

Only where each value ends is found here; decoding it tells whether it is valid. A parser reads the
whole array in one call, which holds the interpreter's lock, and makes an object of each element,
however many there are.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import msgspec

# Escapes are masked, so that a string ends at the next quote. One match passes up to 100 values: a
# match without a limit remembers each of them until its end.
_STRING = rb'"[^"]*"'
_VALUE = rb'(?:"[^"]*"|[^\s"\[\]{},:]+)'
_MEMBER = rb"\s*" + _STRING + rb"\s*:\s*"
_SCALAR = re.compile(_VALUE)
_OPENING = re.compile(rb"([\[{])")
_IN_ARRAY = re.compile(
    rb"\s*,?(?:\s*" + _VALUE + rb"\s*,){0,100}"
    rb"(?:\s*(?:([\[{])|(?:" + _VALUE + rb"\s*)?(\])))?"
)
_IN_OBJECT = re.compile(
    rb"\s*,?(?:" + _MEMBER + _VALUE + rb"\s*,){0,100}"
    rb"(?:" + _MEMBER + rb"(?:([\[{])|" + _VALUE + rb"\s*(\}))|\s*(\}))?"
)
_BLANKS = re.compile(rb"\s*")
_BRACE = ord("{")
_SLICE_BYTES = 256 * 1024


def masked(text: bytes) -> bytes:
    """The text with other characters for its escapes, in which each quote is a string's end."""
    return text.replace(b"\\\\", b"..").replace(b'\\"', b"..")


def walk(text: bytes, at: int) -> tuple[int, bool]:
    """Where the value at `at` ends in a masked text, and True.

    Without an end: how far the text is JSON, about, and False.
    """
    if scalar := _SCALAR.match(text, at):
        return scalar.end(), True
    brackets = bytearray()
    rule = _OPENING
    while (found := rule.match(text, at)) and found.end() > at:
        at = found.end()
        if found.lastindex:
            bracket = text[at - 1]
            if bracket in b"[{":
                brackets.append(bracket)
            else:
                brackets.pop()
            if not brackets:
                return at, True
        rule = _IN_OBJECT if brackets[-1] == _BRACE else _IN_ARRAY
    return at, False


def elements(pieces: Iterable[bytes], *, most_bytes: int) -> Iterator[bytes]:
    """The elements of the array that the pieces make up; of an element only its end is certain.

    ValueError for what is no array, and for an element longer than `most_bytes`.
    """
    ahead = _Ahead(pieces)
    if ahead.sign() != b"[":
        raise ValueError("it is not an array")
    ahead.at += 1
    if ahead.sign() != b"]":
        yield from _each(ahead, most_bytes)
    ahead.at += 1
    if ahead.sign():
        raise ValueError("more follows after the end of the array")


def slices(text: bytes | msgspec.Raw) -> Iterator[bytes]:
    """The text in pieces for `elements`."""
    with memoryview(text) as view:
        for at in range(0, len(view), _SLICE_BYTES):
            yield bytes(view[at : at + _SLICE_BYTES])


def _each(ahead: _Ahead, most_bytes: int) -> Iterator[bytes]:
    number = 1
    while True:
        if (element := ahead.element(most_bytes)) is None:
            raise ValueError(f"element {number:,} is not JSON, or longer than {most_bytes:,} bytes")
        yield element
        if (sign := ahead.sign()) == b"]":
            return
        if sign != b",":
            raise ValueError(f"neither a comma nor the end follows element {number:,}")
        ahead.at += 1
        ahead.sign()
        number += 1


class _Ahead:
    """The text ahead of a place in it, and as little of it as possible."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._text = self._masked = b""
        self.at = 0

    def sign(self) -> bytes:
        """The next character that is not blank, which is next afterwards; empty at the end."""
        while True:
            blanks = _BLANKS.match(self._text, self.at)
            self.at = blanks.end() if blanks else self.at
            if self.at < len(self._text) or not self._more():
                return self._text[self.at : self.at + 1]

    def element(self, most_bytes: int) -> bytes | None:
        """The element that is next, which is passed; None without an end within `most_bytes`."""
        while True:
            end, whole = walk(self._masked, self.at)
            # A number at the end of what is there may go on.
            if whole and end < len(self._text):
                element, self.at = self._text[self.at : end], end
                return element if len(element) <= most_bytes else None
            if len(self._text) - self.at > most_bytes or not self._more():
                return None

    def _more(self) -> bool:
        piece = next(self._pieces, b"")
        self._text = self._text[self.at :] + piece
        self._masked = masked(self._text)
        self.at = 0
        return bool(piece)
