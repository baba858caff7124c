"""The program with a package that has an entry point, installed as pip does."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp

from tests.house.sources import ROOT
from tests.processes import SOURCE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

_PATIENCE_S = 60


def installed(folder: Path, group: str, name: str, value: str) -> Path:
    """Install a package with one entry point, as pip does."""
    info = folder / "site" / "rates-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: rates\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{group}]\n{name} = {value}\n")
    return folder / "site"


@dataclass(frozen=True)
class Commands:
    """The program in separate processes, with the package installed."""

    environment: Mapping[str, str]

    async def __call__(self, *words: str) -> tuple[int, str]:
        """The exit code and the output of a command."""
        process = await self.start(*words)
        async with asyncio.timeout(_PATIENCE_S):
            said, _ = await process.communicate()
        return await process.wait(), said.decode()

    async def start(self, *words: str) -> asyncio.subprocess.Process:
        out = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "penstock",
            *words,
            stdout=out,
            stderr=asyncio.subprocess.STDOUT,
            env=dict(self.environment),
        )

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[aiohttp.ClientSession]:
        process = await self.start("serve", "--port", "0")
        assert process.stdout is not None
        try:
            async with asyncio.timeout(_PATIENCE_S):
                async for line in process.stdout:
                    if b"Penstock serves at" in line:
                        break
            url = line.decode().split("Penstock serves at ")[1].split()[0]
            draining = asyncio.create_task(process.stdout.read())
            async with aiohttp.ClientSession(url) as session:
                yield session
        finally:
            process.terminate()
            await process.wait()
            await draining


def commands(package: Path, folder: Path, **settings: str) -> Commands:
    """The program with these settings."""
    paths = os.pathsep.join(map(str, (package, ROOT, SOURCE)))
    named = {f"PENSTOCK_{name.upper()}": value for name, value in settings.items()}
    return Commands(
        {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "COLUMNS": "120",
            "PYTHONPATH": paths,
            **named,
        }
    )


async def get(session: aiohttp.ClientSession, path: str) -> Any:  # noqa: ANN401 - JSON
    async with session.get(path) as answer:
        assert answer.ok, await answer.text()
        return await answer.json()


async def until_ended(session: aiohttp.ClientSession, task_id: str) -> dict[str, Any]:
    async with asyncio.timeout(_PATIENCE_S):
        while (task := await get(session, f"/api/v1/data-collector/task/{task_id}"))["status"] in {
            "pending",
            "running",
        }:
            await asyncio.sleep(0.05)  # the user of an HTTP API has nothing else to wait for
    return dict(task)
