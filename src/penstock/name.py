"""Names that users give to what they keep, and other words of theirs."""

from __future__ import annotations

from penstock.errors import InvalidInputError

LONGEST_NAME = 50


def checked_name(name: str) -> str:
    """The name without spaces around it; InvalidInputError for one that is empty, too long, or holds control characters."""
    name = name.strip()
    if not (name.isprintable() and 0 < len(name) <= LONGEST_NAME):
        message = f"name: give 1 to {LONGEST_NAME} characters, without control characters"
        raise InvalidInputError(message, field="name")
    return name


def not_utf8(word: str) -> str | None:
    """What is wrong with a word of the command line or the environment that is not UTF-8; None when it is.

    Python keeps each byte that it could not read as a lone surrogate, U+DC80 to U+DCFF.
    """
    try:
        word.encode()
    except UnicodeEncodeError as error:
        return f"is not UTF-8: it holds the byte 0x{ord(word[error.start]) & 0xFF:02x}; write it in UTF-8"
    return None
