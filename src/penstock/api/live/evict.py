"""How the application ends a WebSocket whose client does not read; the server puts it there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# Where the application finds it in the scope's extensions.
EVICT = "penstock.evict"


def evictor(scope: Mapping[str, Any]) -> Callable[[str], None]:
    """How to end the connection of a scope, for a reason."""
    evict: Callable[[str], None] = scope["extensions"][EVICT]
    return evict
