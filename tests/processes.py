"""Real processes of this checkout like those of `asyncio.subprocess`.

`tests.fork_server` forks them, because starting Python takes a second.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import penstock

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.fork_server import Order

PIPE = subprocess.PIPE
# The source of this checkout, regardless of the installed version.
SOURCE = Path(penstock.__file__).parents[1]
_ROOT = Path(__file__).resolve().parents[1]


class Process:
    """A process, like asyncio.subprocess.Process."""

    def __init__(self, pid: int, status: asyncio.Task[int]) -> None:
        self.pid = pid
        self.stdin: asyncio.StreamWriter | None = None
        self.stdout: asyncio.StreamReader | None = None
        self.stderr: asyncio.StreamReader | None = None
        self._status = status

    @property
    def returncode(self) -> int | None:
        return self._status.result() if self._status.done() else None

    async def wait(self) -> int:
        return await asyncio.shield(self._status)

    async def communicate(self) -> tuple[bytes, bytes]:
        """The rest of its output."""
        if self.stdin is not None:
            self.stdin.close()
        out, err = await asyncio.gather(*(_rest(stream) for stream in (self.stdout, self.stderr)))
        await self.wait()
        return out, err

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


async def _rest(stream: asyncio.StreamReader | None) -> bytes:
    return b"" if stream is None else await stream.read()


async def start(
    *words: str,
    environment: Mapping[str, str] = os.environ,
    folder: Path = _ROOT,
    own_session: bool = False,
    stdin: int = subprocess.DEVNULL,
    stdout: int = PIPE,
    stderr: int = PIPE,
) -> Process:
    """Start `penstock …`, or arguments of Python; the files are PIPE, DEVNULL or descriptors."""
    order: Order = {
        "words": words,
        "environment": dict(environment),
        "folder": str(folder),
        "own_session": own_session,
    }
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(_server())
    ours: list[int | None] = []
    with contextlib.ExitStack() as theirs:
        files = []
        for number, requested in enumerate((stdin, stdout, stderr)):
            mine, its = _ends(number, requested)
            ours.append(mine)
            files.append(its)
            if its != requested:
                theirs.callback(os.close, its)
        socket.send_fds(connection, [json.dumps(order).encode()], files)
    reader, writer = await asyncio.open_unix_connection(sock=connection)
    pid = int(await reader.readline())
    process = Process(pid, asyncio.create_task(_status(reader, writer), name=f"process {pid}"))
    if ours[0] is not None:
        process.stdin = await _writing(ours[0])
    if ours[1] is not None:
        process.stdout = await _reading(ours[1])
    if ours[2] is not None:
        process.stderr = await _reading(ours[2])
    return process


def _ends(number: int, requested: int) -> tuple[int | None, int]:
    """Our end and the process's end of one of its files."""
    if requested == PIPE:
        read, write = os.pipe()
        return (write, read) if number == 0 else (read, write)
    if requested == subprocess.DEVNULL:
        return None, os.open(os.devnull, os.O_RDWR)
    return None, requested


async def _status(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int:
    try:
        return int(await reader.readline())
    finally:
        writer.close()


async def _reading(descriptor: int) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb", buffering=0)
    )
    return reader


async def _writing(descriptor: int) -> asyncio.StreamWriter:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.connect_write_pipe(
        asyncio.streams.FlowControlMixin, os.fdopen(descriptor, "wb", buffering=0)
    )
    return asyncio.StreamWriter(transport, protocol, None, loop)


@cache
def _server() -> str:
    """The socket of this process's server, which ends with the process."""
    folder = Path(tempfile.mkdtemp(prefix="penstock-fork-"))
    path = str(folder / "socket")
    environment = {
        name: value
        for name, value in os.environ.items()
        if name != "PYTHONPATH" and not name.startswith("PENSTOCK_")
    }
    environment |= {"PYTHONPATH": f"{SOURCE}{os.pathsep}{_ROOT}", "PYTHONWARNINGS": "default"}
    command = [sys.executable, "-m", "tests.fork_server", path]
    server = subprocess.Popen(
        command, stdin=PIPE, stdout=PIPE, env=environment, cwd=_ROOT, start_new_session=True
    )
    assert server.stdin is not None
    assert server.stdout is not None
    assert server.stdout.readline() == b"ready\n"
    server.stdout.close()
    atexit.register(_end, server, folder)
    return path


def _end(server: subprocess.Popen[bytes], folder: Path) -> None:
    assert server.stdin is not None
    server.stdin.close()
    server.wait()
    shutil.rmtree(folder)
