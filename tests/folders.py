"""Where tests put what need not outlive them."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

_MEMORY = Path("/dev/shm")  # noqa: S108 - only folders with unique names of our own are made there
_ROOM_BYTES = 2 * 1024**3


def quick_folder() -> str:
    """A file system in memory where the machine has one with room, else the folder for temporary files.

    A file of a database is made there ten times as fast, and waiting for a disk is not what tests are about.
    """
    roomy = (
        _MEMORY.is_dir()
        and os.access(_MEMORY, os.W_OK | os.X_OK)
        and shutil.disk_usage(_MEMORY).free >= _ROOM_BYTES
    )
    return str(_MEMORY) if roomy and "TMPDIR" not in os.environ else tempfile.gettempdir()
