"""The raw body of an export, kept as gzip until its sync has ended: a sync that crashed goes on from it without asking for a new export.

Only a whole one counts: it is written under another name and renamed at its end. A torn one is found by gzip's check sum when it is read.
Everything here waits for the disk, so it is called in a thread.
"""

from __future__ import annotations

import contextlib
import os
import time
import zlib
from typing import TYPE_CHECKING

from penstock.http.download import BLOCK_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from penstock.runs.run import Run

# Framed, with the check sum, and not made smaller: zlib's quickest level takes a second for 143 MB.
_LEVEL = 0
_GZIP = zlib.MAX_WBITS | 16
_SUFFIX = ".json.gz"
_PART = ".part"
# An older one says too little of what the seller has now. It is also how long a file is left alone that nobody may need any more.
_MOST_AGE_S = 3_600.0


class Spool:
    """The files of one folder, named by the run that asked for the export."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def whole(self, run: Run) -> Path | None:
        """The whole body that an earlier start of this run has left, unless it is too old."""
        path = self._path(run)
        return path if _age_s(path) < _MOST_AGE_S else None

    def writer(self, run: Run, *, gzip: bool) -> SpoolWriter:
        """Where a body goes as it comes; `gzip`: it comes compressed already. OSError when there is no place for it."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Each start has a name of its own: a former worker of the same run may still be writing.
        return SpoolWriter(
            self._folder / f"{run.task_id}.{run.fence}{_PART}", self._path(run), gzip=gzip
        )

    def remove(self, run: Run) -> None:
        """Forget the run's body, and the unfinished ones of starts that were killed; what cannot be removed now is swept away later."""
        with contextlib.suppress(OSError):
            for path in (self._path(run), *self._folder.glob(f"{run.task_id}.*{_PART}")):
                path.unlink(missing_ok=True)

    def sweep(self) -> None:
        """Remove what runs have left that never came to their end."""
        with contextlib.suppress(OSError):
            for path in self._folder.iterdir():
                if path.name.endswith((_SUFFIX, _PART)) and _age_s(path) >= _MOST_AGE_S:
                    path.unlink()

    def _path(self, run: Run) -> Path:
        return self._folder / f"{run.task_id}{_SUFFIX}"


class SpoolWriter:
    """Writes one body; nothing is left of it when it is discarded before it was finished."""

    def __init__(self, part: Path, path: Path, *, gzip: bool) -> None:
        self._part = part
        self._path = path
        # The seller's prices and notes are nobody else's business.
        self._file = os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
        self._packer = None if gzip else zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)

    def write(self, block: bytes) -> None:
        """Keep a further block of the body."""
        self._file.write(self._packer.compress(block) if self._packer else block)

    def finish(self) -> None:
        """It was all, and it was whole."""
        if self._packer:
            self._file.write(self._packer.flush())
        self._file.close()
        self._part.rename(self._path)

    def discard(self) -> None:
        """Remove what was written; what is finished stays."""
        # What could not be flushed is of no use anyway.
        with contextlib.suppress(OSError):
            self._file.close()
        self._part.unlink(missing_ok=True)


def blocks_of(path: Path) -> Iterator[bytes]:
    """A kept body, still compressed, in blocks."""
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            yield block


def _age_s(path: Path) -> float:
    """Seconds since it was written; endless when it cannot be seen."""
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return float("inf")
