"""Users' names and words: checks of them, and counts in words."""

from __future__ import annotations

from penstock.errors import InvalidInputError

LONGEST_NAME = 50


def checked_name(name: str) -> str:
    """The name without surrounding spaces.

    InvalidInputError for one that is empty, too long, or has control characters.
    """
    name = name.strip()
    if not (name.isprintable() and 0 < len(name) <= LONGEST_NAME):
        raise InvalidInputError(
            f"name: give 1 to {LONGEST_NAME} characters, without control characters", field="name"
        )
    return name


def not_utf8(word: str) -> str | None:
    """The problem of a command-line or environment word that is not UTF-8; None when it is.

    Python decodes each invalid byte as a lone surrogate, U+DC80 to U+DCFF.
    """
    try:
        word.encode()
    except UnicodeEncodeError as error:
        byte = ord(word[error.start]) & 0xFF
        return f"is not UTF-8: it holds the byte 0x{byte:02x}; write it in UTF-8"
    return None


def counted(number: int, noun: str) -> str:
    """`1 symbol`, `2,000 symbols`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
