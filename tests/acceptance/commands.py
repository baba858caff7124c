"""Runs `penstock` as a user does: in a separate process with its own environment."""

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

import aiohttp
from sqlalchemy import text

from penstock.opening import open_reader
from penstock.settings import load_settings
from penstock.simulator.server import SimulatorSettings, running
from tests.processes import SOURCE, Process, start

if TYPE_CHECKING:
    import signal
    from collections.abc import AsyncIterator, Callable, Mapping

    from sqlalchemy import Connection

PROGRAM = Path(sys.executable).parent / "penstock"
# The simulated exchange's clock stands still, 30 s past noon, so the numbers of candles are known.
NOON = 1_768_478_400_000
_NOW = NOON + 30_000
_PATIENCE_S = 60
_COLLECTOR = "/api/v1/data-collector"


@dataclass(frozen=True)
class Ended:
    """The exit code and the output of a command."""

    code: int
    out: str
    err: str

    @property
    def complaint(self) -> str:
        """The only line on stderr."""
        assert self.out == ""
        [line] = self.err.splitlines()
        assert line.startswith("penstock: ")
        return line.removeprefix("penstock: ")

    @property
    def json(self) -> Any:  # noqa: ANN401 - whatever the command prints
        """The output, which is one JSON value and nothing else."""
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
        """The default data folder."""
        return self.folder / "data" / "penstock"

    def with_settings(self, **settings: str) -> Penstock:
        """The same with more settings, such as `database_url`."""
        return replace(
            self,
            environment={
                **self.environment,
                **{f"PENSTOCK_{name.upper()}": value for name, value in settings.items()},
            },
        )

    def process_environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "COLUMNS": str(self.columns),
            "XDG_DATA_HOME": str(self.folder / "data"),
            "PYTHONPATH": str(SOURCE),
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

    async def python(self, script: Path | str, *words: str) -> Ended:
        """Run a Python script of this user to its end: a file, or the text of one."""
        given = [str(script)] if isinstance(script, Path) else ["-c", script]
        async with self._started(*given, *words) as command:
            return await command.ended()

    def started(self, *words: str) -> contextlib.AbstractAsyncContextManager[Command]:
        """A command that runs during the block; it is killed at the end if it still runs."""
        return self._started("penstock", *words)

    @contextlib.asynccontextmanager
    async def _started(self, *words: str) -> AsyncIterator[Command]:
        process = await start(*words, environment=self.process_environment(), folder=self.folder)
        try:
            yield Command(
                process,
                self.secrets,
                self.environment.get("PYTHONIOENCODING", "utf-8").partition(":")[0],
            )
        finally:
            if process.returncode is None:
                process.kill()
                await process.communicate()

    @contextlib.asynccontextmanager
    async def serving(self, *words: str) -> AsyncIterator[Service]:
        """A service whose default schedule starts after the end of any test."""
        async with self.with_settings(scheduler_delay_s="3600").started(
            "serve", "--port", "0", *words
        ) as command:
            url = url_in(await command.says("Penstock serves at"))
            async with aiohttp.ClientSession(url) as session:
                yield Service(command, url, session)

    async def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of the database, read while other processes may use it."""

        def read(connection: Connection) -> list[tuple[Any, ...]]:
            return [tuple(row) for row in connection.execute(text(query))]

        async with open_reader(
            load_settings(database_url=self.environment.get("PENSTOCK_DATABASE_URL"))
        ) as database:
            return await database.read(read)

    @property
    def secrets(self) -> list[str]:
        """Secrets that no command may print."""
        url = (
            self.environment.get("PENSTOCK_DATABASE_URL")
            or self.environment.get("DATABASE_URL")
            or ""
        )
        return [word for word in [urlsplit(url).password] if word]


@dataclass(frozen=True)
class Command:
    """A started command."""

    process: Process
    secrets: list[str]
    encoding: str = "utf-8"

    async def says(self, text: str) -> str:
        """The next line on stderr that contains this text."""
        assert self.process.stderr is not None
        async with asyncio.timeout(_PATIENCE_S):
            async for line in self.process.stderr:
                if text in line.decode():
                    return line.decode().strip()
        message = f"ended with {await self.process.wait()} before it said {text!r}"
        raise AssertionError(message)

    async def ended(self, stop_signal: signal.Signals | None = None) -> Ended:
        """Send this signal, if any, and wait for the end."""
        if stop_signal is not None:
            self.process.send_signal(stop_signal)
        async with asyncio.timeout(_PATIENCE_S):
            out, err = (text.decode(self.encoding) for text in await self.process.communicate())
        assert "Traceback" not in err, err
        assert "Warning" not in err
        assert "\x1b" not in out + err
        assert not [secret for secret in self.secrets if secret in out + err]
        assert self.process.returncode is not None
        return Ended(self.process.returncode, out, err)


@dataclass(frozen=True)
class Service:
    """A started service, as clients of its API see it."""

    command: Command
    url: str
    session: aiohttp.ClientSession

    async def call(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - JSON
        """The answer of a call; `path` is below the data collector's prefix, or whole."""
        whole = path if path.startswith("/api") else _COLLECTOR + path
        async with self.session.request(method, whole, json=body) as answer:
            assert answer.ok, await answer.text()
            return await answer.json()

    async def start(self, symbols: str = "BTCUSDT", timeframes: str = "1m", **more: object) -> str:
        """Start a collection and return its task."""
        answer = await self.call(
            "POST", "/start", {"symbols": symbols.split(), "timeframes": timeframes.split()} | more
        )
        return str(answer["task_id"])

    async def until(
        self, task_id: str, holds: Callable[[dict[str, Any]], object]
    ) -> dict[str, Any]:
        """The task, as soon as it meets the condition."""
        async with asyncio.timeout(_PATIENCE_S):
            while not holds(task := await self.call("GET", f"/task/{task_id}")):
                await asyncio.sleep(0.05)  # the user of an HTTP API has nothing else to wait for
        return dict(task)

    async def ended(self, task_id: str) -> dict[str, Any]:
        """The task once it has ended."""
        return await self.until(
            task_id, lambda task: task["status"] in {"completed", "failed", "cancelled"}
        )


async def put_faults(exchange: str, *faults: dict[str, Any]) -> None:
    """Set exactly these faults at the simulated exchange."""
    async with (
        aiohttp.ClientSession() as session,
        session.put(f"{exchange}/simulator/faults", json=list(faults)) as answer,
    ):
        assert answer.status == 200, await answer.text()


def url_in(line: str) -> str:
    """The address that a command prints."""
    return next(word.rstrip(";") for word in line.split() if word.startswith("http://"))


def simulated(*faults: str) -> contextlib.AbstractAsyncContextManager[str]:
    """A simulated exchange whose clock stands still; gives its URL."""
    return running(SimulatorSettings(symbols=30, now_ms=_NOW, speed=0, faults=faults))
