"""Files and folders that only this user can read, whatever the umask says."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

# The mode of a new file.
ONLY_OURS = 0o600
_FOLDER_ONLY_OURS = 0o700


def make_folder(folder: Path) -> None:
    """Make a folder and its missing parents; those that exist stay as they are."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(_FOLDER_ONLY_OURS, exist_ok=True)


def open_to_others(files: Iterable[Path]) -> list[Path]:
    """Those of the files that exist and that other users may read or write, by their mode."""
    return [
        file
        for file in files
        if file.is_file() and file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)
    ]
