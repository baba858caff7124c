"""Names that users give to what they keep."""

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
