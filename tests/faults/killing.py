"""Processes to kill: a script of this folder forks one for each line of its input."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.processes import PIPE, Process, start

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from random import Random

NEVER = "never"
# PostgreSQL cannot know that a killed process is dead: its heartbeat only grows old. Age it by an
# hour.
GROWN_OLD = "UPDATE procrastinate_workers SET last_heartbeat = last_heartbeat - interval '1 hour'"


@dataclass(frozen=True)
class Ended:
    """The output of a process since it opened the database, whether it was killed, its lifetime."""

    said: list[list[str]]
    killed: bool
    lived_s: float


class Victims:
    """Starts and kills processes, one at a time."""

    def __init__(self, parent: Process) -> None:
        assert parent.stdin is not None
        assert parent.stdout is not None
        self._orders, self._words = parent.stdin, parent.stdout

    async def run(self, order: str, *, at: str = NEVER, after_s: float | None = None) -> Ended:
        """Start a process; kill it at a moment (see `halting`), or a while after it is ready."""
        self._orders.write(f"{order} {at}\n".encode())
        [_, pid] = await self._line("pid")
        await self._line("open")
        began = time.monotonic()
        ending = asyncio.ensure_future(self._until_ended(int(pid)))
        await asyncio.wait([ending], timeout=after_s)
        # It may have ended by itself just now, before its last lines were read.
        with contextlib.suppress(ProcessLookupError):
            if not ending.done():
                os.kill(int(pid), signal.SIGKILL)
        status, said = await ending
        assert status == (0 if at == NEVER else -signal.SIGKILL) or (
            status == -signal.SIGKILL and after_s is not None
        )
        return Ended(said, status != 0, time.monotonic() - began)

    async def _line(self, name: str | None = None) -> list[str]:
        words = (await self._words.readline()).decode().split()
        assert name is None or words[0] == name, words
        return words

    async def _until_ended(self, pid: int) -> tuple[int, list[list[str]]]:
        said: list[list[str]] = []
        while (words := await self._line())[0] != "ended":
            if words == ["halted"]:
                os.kill(pid, signal.SIGKILL)
            else:
                said.append(words)
        return int(words[1]), said


@contextlib.asynccontextmanager
async def victims(script: str, **environment: str) -> AsyncIterator[Victims]:
    """Processes of a script beside this one; those left at the end are ended."""
    path = str(Path(__file__).with_name(script))
    parent = await start(
        path, stdin=PIPE, stderr=2, environment=os.environ | environment, own_session=True
    )
    try:
        yield Victims(parent)
    finally:
        os.killpg(parent.pid, signal.SIGKILL)
        await parent.communicate()


class Moments:
    """Random moments to kill at; adapts to the lifetime of a process on this machine."""

    def __init__(self, chance: Random, within_s: float) -> None:
        self._chance = chance
        self._within_s = within_s

    def draw(self) -> float:
        """Seconds after the database was opened."""
        return self._chance.uniform(0, self._within_s)

    def learn(self, ended: Ended) -> None:
        """Shorten the time if a process ended before it was killed, else extend it."""
        self._within_s = 1.1 * self._within_s if ended.killed else ended.lived_s
