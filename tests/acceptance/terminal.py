"""A user's terminal: what a command shows on it, and how wide that is."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pty
import re
import termios
from typing import TYPE_CHECKING

from tests.processes import Process, start

if TYPE_CHECKING:
    import signal
    from collections.abc import AsyncIterator

    from tests.acceptance.commands import Penstock

_PATIENCE_S = 60
_ROWS = 24
# Colours and cursor movements.
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """A command on its own terminal."""

    def __init__(self, process: Process, descriptor: int) -> None:
        self._process = process
        self._descriptor = descriptor
        self._bytes = b""
        self._changed = asyncio.Event()
        self._closed = asyncio.Event()
        asyncio.get_running_loop().add_reader(descriptor, self._read)

    def _read(self) -> None:
        try:
            part = os.read(self._descriptor, 65_536)
        except OSError:  # Linux reports the closed other side in this way
            part = b""
        self._bytes += part
        self._changed.set()
        if not part:
            asyncio.get_running_loop().remove_reader(self._descriptor)
            self._closed.set()

    @property
    def text(self) -> str:
        """Everything shown so far, without colours and cursor movements."""
        return _ESCAPES.sub("", self._bytes.decode(errors="replace"))

    @property
    def lines(self) -> list[str]:
        """Each line as it was drawn, including overwritten ones."""
        return [line for line in re.split(r"[\r\n]+", self.text) if line.strip()]

    async def shows(self, pattern: str) -> str:
        """The match of the pattern, as soon as it is shown."""
        async with asyncio.timeout(_PATIENCE_S):
            while (found := re.search(pattern, self.text)) is None:
                assert not self._closed.is_set(), self.text
                self._changed.clear()
                await self._changed.wait()
        return found[0]

    def types(self, text: str) -> None:
        """Type this text."""
        os.write(self._descriptor, text.encode())

    async def hides_what_is_typed(self) -> None:
        """Wait until the terminal hides input: input typed before that is discarded."""
        async with asyncio.timeout(_PATIENCE_S):
            while termios.tcgetattr(self._descriptor)[3] & termios.ECHO:
                await asyncio.sleep(0.02)

    async def ended(self, stop_signal: signal.Signals | None = None) -> int:
        """Send this signal, if any, and return the exit code."""
        if stop_signal is not None:
            self._process.send_signal(stop_signal)
        async with asyncio.timeout(_PATIENCE_S):
            await self._closed.wait()
            return await self._process.wait()

    async def close(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        asyncio.get_running_loop().remove_reader(self._descriptor)
        os.close(self._descriptor)


@contextlib.asynccontextmanager
async def on_a_terminal(penstock: Penstock, *words: str) -> AsyncIterator[Terminal]:
    """The command on a terminal `penstock.columns` wide; killed at the end if it still runs."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (_ROWS, penstock.columns))
    # The terminal itself reports its width.
    environment = {
        name: value for name, value in penstock.process_environment().items() if name != "COLUMNS"
    } | {"TERM": "xterm"}
    process = await start(
        "penstock",
        *words,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        environment=environment,
        folder=penstock.folder,
    )
    os.close(theirs)
    terminal = Terminal(process, ours)
    try:
        yield terminal
    finally:
        await terminal.close()
