"""Text that either database takes: what a provider sends ends up in errors and results."""

from __future__ import annotations

_MOST_CHARS = 4_000


def storable_text(text: str | None) -> str | None:
    """Cut to what anybody reads."""
    return None if text is None else str(storable(text))[:_MOST_CHARS]


def storable(value: object) -> object:
    """Without what PostgreSQL does not take in text."""
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
