"""Real processes: a service with its memory, log and disk, a simulator, and one that asks both."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.budget.calls import Door
from tests.budget.threads import PATIENCE_S
from tests.processes import SOURCE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_ADMIN = "an-admin-token-of-a-deployment-4711"
_PINGING = Path(__file__).with_name("pinging.py")
_URL = re.compile(r"(?:serves|answers) at (http://127\.0\.0\.1:[0-9]+)")


@dataclass(frozen=True)
class Serving:
    """A service; `folder` is all that it writes to, its log included."""

    process: subprocess.Popen[bytes]
    door: Door
    folder: Path
    log: Path

    def memory(self, name: str) -> int:
        """VmRSS or VmHWM of the process, bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return 1024 * int(status.partition(f"{name}:")[2].split()[0])

    def disk(self) -> int:
        """The bytes of all files but the log."""
        sizes = 0
        for path in self.folder.rglob("*"):
            with contextlib.suppress(FileNotFoundError):
                sizes += path.stat().st_size if path.is_file() and path != self.log else 0
        return sizes


@contextlib.contextmanager
def serving(folder: Path, environment: Mapping[str, str]) -> Iterator[Serving]:
    """A service with tokens of each scope; it has to end within its promise of 10 s."""
    log = folder / "log"
    log.unlink(missing_ok=True)
    given = {"PENSTOCK_ADMIN_TOKEN": _ADMIN, "PENSTOCK_REQUESTS_PER_MINUTE": "10000000"}
    with _started(["serve", "--port", "0"], folder, log, {**given, **environment}) as process:
        door = Door(_url_in(log, process), {"admin": _ADMIN})
        made = {
            scope: door.post("/api/v1/admin/tokens", {"name": "test", "scope": scope})["token"]
            for scope in ("read", "operate")
        }
        yield Serving(process, Door(door.url, {**door.tokens, **made}), folder, log)


@contextlib.contextmanager
def simulating(folder: Path, *words: str) -> Iterator[str]:
    """The URL of a simulator."""
    log = folder / "simulator.log"
    with _started(["simulate", "--port", "0", *words], folder, log, {}) as process:
        give_way(process.pid)
        yield _url_in(log, process)


def give_way(task: int | None = None) -> None:
    """Let a process or thread, by default this one, run only while the service leaves a processor.

    Clients and providers have machines of their own. A high nice value is not enough: a thread that
    wakes up would still wait for the end of another one's slice.
    """
    os.sched_setscheduler(task or threading.get_native_id(), os.SCHED_IDLE, os.sched_param(0))


@contextlib.contextmanager
def _started(
    words: list[str], folder: Path, log: Path, environment: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    ours = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(SOURCE)}
    with log.open("ab") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "penstock", *words],
            stdout=file,
            stderr=file,
            env={**ours, **environment},
            cwd=folder,
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE_S)
        finally:
            process.kill()
            process.wait()


def _url_in(log: Path, process: subprocess.Popen[bytes]) -> str:
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until and process.poll() is None:
        if found := _URL.search(log.read_text(encoding="utf-8", errors="replace")):
            return found[1]
        time.sleep(0.05)
    raise AssertionError(log.read_text(encoding="utf-8", errors="replace"))


@dataclass
class Health:
    """The milliseconds of all answers, by path, and what was not answered with 200."""

    answers_ms: Mapping[str, list[float]]
    failed: list[str]

    def worst(self, path: str) -> float:
        """The slowest answer."""
        return max(self.answers_ms[path])

    def p99(self, path: str) -> float:
        """The 99th percentile."""
        return sorted(self.answers_ms[path])[len(self.answers_ms[path]) * 99 // 100]

    def __str__(self) -> str:
        return "; ".join(
            f"{path} p99 {self.p99(path):.0f} ms, worst {self.worst(path):.0f} ms "
            f"(answer {all_ms.index(self.worst(path)) + 1} of {len(all_ms)})"
            for path, all_ms in self.answers_ms.items()
        )


@contextlib.contextmanager
def pinged(door: Door) -> Iterator[Health]:
    """How fast health is answered while the block runs; known at its end."""
    health = Health({}, [])
    asking = subprocess.Popen(
        [sys.executable, str(_PINGING), door.url], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        yield health
        out, _ = asking.communicate(b"\n", PATIENCE_S)
        health.answers_ms, health.failed = json.loads(out)
    finally:
        asking.kill()
        asking.wait()
