"""Runs `penstock` as a user does: a process of its own, with an environment of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import penstock
from penstock.simulator.server import SimulatorSettings, running

if TYPE_CHECKING:
    import signal
    from collections.abc import AsyncIterator, Mapping

PROGRAM = Path(sys.executable).parent / "penstock"
# The program of this checkout, whichever one is installed.
_SOURCE = Path(penstock.__file__).parents[1]
# The simulated exchange's clock stands still here, 30 s after twelve, so every number of candles is known.
NOON = 1_768_478_400_000
_NOW = NOON + 30_000
_PATIENCE_S = 60


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def complaint(self) -> str:
        """The one line that it said on stderr."""
        assert self.out == ""
        [line] = self.err.splitlines()
        assert line.startswith("penstock: ")
        return line.removeprefix("penstock: ")

    @property
    def json(self) -> Any:  # noqa: ANN401 - whatever the command prints
        """What it printed: one JSON value and nothing beside it."""
        assert self.code == 0, self.err
        return json.loads(self.out)


@dataclass(frozen=True)
class Penstock:
    """The program with the environment of one test; `folder` is this user's home."""

    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    columns: int = 80

    @property
    def data(self) -> Path:
        """Where it keeps its data unless it is told otherwise."""
        return self.folder / "data" / "penstock"

    def with_settings(self, **settings: str) -> Penstock:
        """The same with more settings, such as `database_url`."""
        return replace(self, environment={**self.environment, **{f"PENSTOCK_{name.upper()}": value for name, value in settings.items()}})

    def process_environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "COLUMNS": str(self.columns),
            "XDG_DATA_HOME": str(self.folder / "data"),
            "PYTHONPATH": str(_SOURCE),
            "PYTHONWARNINGS": "default",
            **self.environment,
        }

    async def __call__(self, *words: str) -> Ended:
        """Run a command to its end."""
        async with self.started(*words) as command:
            return await command.ended()

    async def all_of(self, *commands: str) -> list[Ended]:
        """Run several commands at the same time."""
        return await asyncio.gather(*(self(*command.split()) for command in commands))

    @contextlib.asynccontextmanager
    async def started(self, *words: str) -> AsyncIterator[Command]:
        """A command that goes on while the block runs, and is killed at its end if it has not ended itself."""
        process = await asyncio.create_subprocess_exec(
            PROGRAM,
            *words,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self.process_environment(),
            cwd=self.folder,
        )
        try:
            yield Command(process, self.secrets)
        finally:
            if process.returncode is None:
                process.kill()
                await process.communicate()

    @property
    def secrets(self) -> list[str]:
        """What no command may ever print."""
        url = self.environment.get("PENSTOCK_DATABASE_URL") or self.environment.get("DATABASE_URL") or ""
        return [word for word in [urlsplit(url).password] if word]


@dataclass(frozen=True)
class Command:
    """A started command."""

    process: asyncio.subprocess.Process
    secrets: list[str]

    async def says(self, text: str) -> str:
        """The next line on stderr that has this text in it."""
        assert self.process.stderr is not None
        async with asyncio.timeout(_PATIENCE_S):
            async for line in self.process.stderr:
                if text in line.decode():
                    return line.decode().strip()
        message = f"ended with {await self.process.wait()} before it said {text!r}"
        raise AssertionError(message)

    async def ended(self, told: signal.Signals | None = None) -> Ended:
        """Wait for its end, after this signal."""
        if told is not None:
            self.process.send_signal(told)
        async with asyncio.timeout(_PATIENCE_S):
            out, err = (text.decode() for text in await self.process.communicate())
        assert "Traceback" not in err
        assert "Warning" not in err
        assert "\x1b" not in out + err
        assert not [secret for secret in self.secrets if secret in out + err]
        assert self.process.returncode is not None
        return Ended(self.process.returncode, out, err)


def url_in(line: str) -> str:
    """The address that a command says it answers at."""
    return next(word.rstrip(";") for word in line.split() if word.startswith("http://"))


def simulated(*faults: str) -> contextlib.AbstractAsyncContextManager[str]:
    """A simulated exchange whose clock stands still; gives its URL."""
    return running(SimulatorSettings(symbols=30, now_ms=_NOW, speed=0, faults=faults))
