"""How much work one turn of the event loop does, counted in function calls, not in time."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING
from unittest.mock import patch

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Steps:
    """The most calls of one callback, which may be a step of a task; `where` is that callback."""

    most: int = 0
    where: str = ""


@contextlib.contextmanager
def steps_on_the_loop() -> Iterator[Steps]:
    """Count the calls of this thread's event loop while the block runs."""
    found, run, counting = Steps(), asyncio.Handle._run, threading.get_ident()
    calls = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in {"call", "c_call"}

    def counted(handle: asyncio.Handle) -> None:
        nonlocal calls
        if threading.get_ident() != counting:
            run(handle)
            return
        calls = 0
        sys.setprofile(count)
        try:
            run(handle)
        finally:
            sys.setprofile(None)
            if calls > found.most:
                found.most, found.where = calls, repr(handle)

    with patch.object(asyncio.Handle, "_run", counted):
        yield found
