"""How much of what a client sends is taken in at once, before others have their turn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio


def read_at_most(transport: asyncio.BaseTransport, most_bytes: int) -> None:
    """Read at most `most_bytes` in one turn of the event loop.

    asyncio takes 256 KiB, and a parser works for a second on those in chunks or frames of a byte.
    It has no public way to say so; a test counts the steps of a turn.
    """
    reading: Any = transport
    reading.max_size = most_bytes
