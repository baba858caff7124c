"""How much memory a process has held at the most."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

_MB = 1024 * 1024


def peak_memory_mb() -> float:
    """Of this process alone: Linux lets ru_maxrss begin with what the parent had, so its own figure is taken where there is one."""
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
