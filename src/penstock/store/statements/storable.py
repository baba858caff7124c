"""Text from providers, as either database stores it."""

from __future__ import annotations

_MOST_CHARS = 4_000


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
