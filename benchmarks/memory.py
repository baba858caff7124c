"""The peak memory of a process."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

_MB = 1024 * 1024


def peak_memory_mb() -> float:
    """The peak of this process alone; on Linux ru_maxrss starts with the parent's peak."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(
            line
            for line in status.read_text(encoding="ascii").splitlines()
            if line.startswith("VmHWM:")
        )
        return int(line.split()[1]) * 1024 / _MB
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / _MB
