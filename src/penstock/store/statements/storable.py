"""Text from providers, as either database stores it."""

from __future__ import annotations

import hashlib

_MOST_CHARS = 4_000


def row_digest(reason: str, raw: str) -> str:
    """The digest by which a refused row is found again."""
    refused = f"{reason}\n{raw}".encode("utf-8", "replace")
    return hashlib.blake2b(refused, digest_size=16).hexdigest()


def storable_text(text: str | None) -> str | None:
    """The text without what PostgreSQL refuses, cut to a readable length."""
    return None if text is None else str(storable(text))[:_MOST_CHARS]


def storable(value: object) -> object:
    """The value without the characters that PostgreSQL refuses."""
    match value:
        case str():
            return (
                value.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()
            )
        case dict():
            return {str(storable(key)): storable(one) for key, one in value.items()}
        case list() | tuple():
            return [storable(one) for one in value]
        case _:
            return value
