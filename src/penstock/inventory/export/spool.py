"""The raw body of an export, kept as gzip until its sync ends.

A sync that crashed continues from it without a new export. Only a complete body counts: it is
renamed at its end, and gzip's checksum finds a torn one. Everything here waits for the disk, so it
runs in a thread.
"""

from __future__ import annotations

import contextlib
import os
import time
import zlib
from typing import TYPE_CHECKING

from penstock.access.private import ONLY_OURS, make_folder
from penstock.http.download import BLOCK_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from penstock.runs.run import Run

# Only framed, with the checksum: zlib's fastest compression takes a second for 143 MB.
_LEVEL = 0
_GZIP = zlib.MAX_WBITS | 16
_SUFFIX = ".json.gz"
_PART = ".part"
# An older body says too little of the present stock; files that nobody may need stay as long.
_MOST_AGE_S = 3_600.0


class ExportSpool:
    """The files of one folder, named by the run that asked for the export."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def whole(self, run: Run) -> Path | None:
        """The complete body that an earlier start of this run left, unless it is too old."""
        path = self._path(run)
        return path if _age_s(path) < _MOST_AGE_S else None

    def writer(self, run: Run, *, gzip: bool) -> SpoolWriter:
        """A writer for a body; `gzip`: it is compressed already. OSError without room for it."""
        make_folder(self._folder)
        # A name for each start: an earlier worker of the same run may still be writing.
        return SpoolWriter(
            self._folder / f"{run.task_id}.{run.fence}{_PART}", self._path(run), gzip=gzip
        )

    def remove(self, run: Run) -> None:
        """Remove the bodies of a run, also of killed starts; the rest is swept later."""
        with contextlib.suppress(OSError):
            for path in (self._path(run), *self._folder.glob(f"{run.task_id}.*{_PART}")):
                path.unlink(missing_ok=True)

    def sweep(self) -> None:
        """Remove what runs left that never ended."""
        with contextlib.suppress(OSError):
            for path in self._folder.iterdir():
                if path.name.endswith((_SUFFIX, _PART)) and _age_s(path) >= _MOST_AGE_S:
                    path.unlink()

    def _path(self, run: Run) -> Path:
        return self._folder / f"{run.task_id}{_SUFFIX}"


class SpoolWriter:
    """Writes one body; discarding it before it is finished leaves nothing."""

    def __init__(self, part: Path, path: Path, *, gzip: bool) -> None:
        self._part = part
        self._path = path
        # The seller's prices and notes are nobody else's business.
        self._file = os.fdopen(
            os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, ONLY_OURS), "wb"
        )
        self._packer = None if gzip else zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)

    def write(self, block: bytes) -> None:
        """Write a block of the body."""
        self._file.write(self._packer.compress(block) if self._packer else block)

    def finish(self) -> None:
        """Make the body available: it is complete."""
        if self._packer:
            self._file.write(self._packer.flush())
        self._file.close()
        self._part.rename(self._path)

    def discard(self) -> None:
        """Remove what was written, unless it is finished."""
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
    """Seconds since the file was written; infinite if it cannot be read."""
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return float("inf")
