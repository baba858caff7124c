"""The other side of `tests.engine.actors`: starts them, reads their reports, signals them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from tests.engine.engines import PATIENCE_S
from tests.processes import PIPE, Process, start

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

T = TypeVar("T")


@dataclass
class Actors:
    """Processes of this test by pid, with their reports so far."""

    first: Process
    said: defaultdict[int, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    known: set[int] = field(default_factory=set)

    async def start(self, role: str, **order: Any) -> int:
        """Start a process; return its pid when it is ready."""
        assert self.first.stdin is not None
        self.first.stdin.write((json.dumps({"role": role} | order) + "\n").encode())
        await self.first.stdin.drain()
        pid = await self.until(
            lambda: next((pid for pid in self.said if pid not in self.known), None)
        )
        self.known.add(pid)
        return pid

    async def until(self, find: Callable[[], T | None], patience_s: float = PATIENCE_S) -> T:
        async with asyncio.timeout(patience_s), self.changed:
            while (found := find()) is None:
                await self.changed.wait()
        return found

    async def heard(self, pid: int, event: str, **facts: object) -> dict[str, Any]:
        """The report of the process about an event, as soon as it arrives."""
        expected = {"event": event} | facts
        heard: dict[str, Any] = await self.until(
            lambda: next(
                (said for said in self.said[pid] if expected.items() <= said.items()), None
            )
        )
        return heard

    async def begun(self, task_id: object, fence: int) -> int:
        """Which process works on this start of a run."""

        def found() -> int | None:
            expected = {"event": "begun", "task": str(task_id), "fence": fence}
            return next(
                (
                    pid
                    for pid, said in self.said.items()
                    if any(expected.items() <= message.items() for message in said)
                ),
                None,
            )

        pid: int = await self.until(found)
        return pid

    def signal(self, pid: int, number: signal.Signals) -> None:
        os.kill(pid, number)

    async def hear(self) -> None:
        assert self.first.stdout is not None
        async for line in self.first.stdout:
            said = json.loads(line)
            async with self.changed:
                self.said[said["pid"]].append(said)
                self.changed.notify_all()


@contextlib.asynccontextmanager
async def actors() -> AsyncIterator[Actors]:
    """No processes yet; those left at the end are ended."""
    first = await start("-m", "tests.engine.actors", stdin=PIPE, stderr=2, own_session=True)
    all_of_them = Actors(first)
    hearing = asyncio.create_task(all_of_them.hear())
    try:
        yield all_of_them
    finally:
        # Not by their pids, which the system may have reused.
        os.killpg(first.pid, signal.SIGKILL)
        assert first.stdin is not None
        first.stdin.close()
        await first.wait()
        await hearing
