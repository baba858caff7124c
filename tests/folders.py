"""The folder for temporary files of tests."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

_MEMORY = Path("/dev/shm")  # noqa: S108 - only for folders with unique names
_ROOM_BYTES = 2 * 1024**3


def quick_folder() -> str:
    """A file system in memory with enough space, else the folder for temporary files.

    Creating a database file in memory is ten times as fast.
    """
    roomy = (
        _MEMORY.is_dir()
        and os.access(_MEMORY, os.W_OK | os.X_OK)
        and shutil.disk_usage(_MEMORY).free >= _ROOM_BYTES
    )
    return str(_MEMORY) if roomy and "TMPDIR" not in os.environ else tempfile.gettempdir()
