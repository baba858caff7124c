"""Penstock with other rights than those of the test: another umask, or no rights of root."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.acceptance.commands import Command, Penstock

if TYPE_CHECKING:
    import contextlib
    from pathlib import Path

# Root may do what the modes of files forbid; without these capabilities (1 and 2) it may not.
_SCRIPT = """
import ctypes, os, sys
os.umask(int(sys.argv[1], 8))
if os.geteuid() == 0:
    libc = ctypes.CDLL(None)
    version, sets = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    assert libc.capget(version, sets) == 0
    sets[0] &= ~0b110
    assert libc.capset(version, sets) == 0
sys.argv[:2] = ["penstock"]
from penstock.__main__ import main
main()
"""


@dataclass(frozen=True)
class Masked(Penstock):
    """The program under a umask, bound by the modes of files also if this is root."""

    umask: int = 0o022

    def started(self, *words: str) -> contextlib.AbstractAsyncContextManager[Command]:
        return self._started("-c", _SCRIPT, oct(self.umask), *words)


def masked(penstock: Penstock, umask: int = 0o022) -> Masked:
    """The same program of the same user, so restricted."""
    return Masked(penstock.folder, penstock.environment, penstock.columns, umask)


def mode(path: Path) -> int:
    """The permissions of a file or folder."""
    return path.stat().st_mode & 0o777
