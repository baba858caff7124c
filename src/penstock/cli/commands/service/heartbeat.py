"""The heartbeat of a worker for health checks: a file of this user, touched while it works."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from typing import TYPE_CHECKING

import structlog

from penstock.access.own_token import state_folder
from penstock.errors import NotFoundError, RetryableError
from penstock.loop import background

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from penstock.app import App

_log: structlog.stdlib.BoundLogger = structlog.get_logger()

_NAME = "worker-"


@contextlib.asynccontextmanager
async def beating(app: App) -> AsyncIterator[None]:
    """During the block, show that this process takes runs and that its database answers."""
    try:
        file = state_folder() / f"{_NAME}{os.getpid()}"
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
    except (OSError, RuntimeError) as error:
        _log.warning("health checks cannot see this worker", error=str(error))
        yield
        return
    try:
        async with background(_beat(app, file), "heartbeat of the worker"):
            yield
    finally:
        file.unlink(missing_ok=True)


async def _beat(app: App, file: Path) -> None:
    while True:
        with contextlib.suppress(RetryableError, OSError):
            if app.executor.running:
                await app.database.read(lambda _connection: None)
                await asyncio.to_thread(file.touch)
        await asyncio.sleep(app.settings.heartbeat_s)


def check_workers(dead_after_s: float) -> str:
    """The state of this user's workers on this machine, in words; raises if one gives no sign."""
    ages_s = _ages_s()
    if not ages_s:
        raise NotFoundError("no worker of this user runs here, or it takes no runs yet")
    for pid, age_s in ages_s.items():
        if age_s > dead_after_s:
            raise RetryableError(f"the worker of process {pid} gave no sign for {age_s:.0f} s")
    return f"{len(ages_s)} running, last sign {max(ages_s.values()):.0f} s ago"


def _ages_s() -> dict[int, float]:
    """How long ago each worker gave a sign; the file of one that was killed is removed."""
    found: dict[int, float] = {}
    for file in state_folder().glob(f"{_NAME}*"):
        pid = int(file.name.removeprefix(_NAME))
        with contextlib.suppress(FileNotFoundError):
            if _runs(pid):
                found[pid] = time.time() - file.stat().st_mtime
            else:
                file.unlink()
    return found


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
