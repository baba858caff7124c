"""What becomes of a task of a service, for the command that has asked for it."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from penstock.cli.shown.progress import shown_progress
from penstock.cli.shown.terminal import err
from penstock.errors import RateLimitedError, RunFailedError, RunUnavailableError, SourceUnavailableError, StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from penstock.cli.client import ServiceClient

_MAY_PASS = {error.code for error in (RunUnavailableError, SourceUnavailableError, RateLimitedError, StoreUnavailableError)}


@contextlib.contextmanager
def left_to_service(task_id: str) -> Iterator[None]:
    """Who is interrupted is told that the task is not."""
    try:
        yield
    except asyncio.CancelledError:
        err.print(f"the service goes on with it; see penstock watch {task_id}, or penstock cancel {task_id}")
        raise


async def ended_task(client: ServiceClient, task_id: str, *, doing: str = "Collecting") -> dict[str, Any]:
    """The task once it has completed, behind a bar until then; raises why it has not."""
    with left_to_service(task_id), shown_progress(doing) as advance:
        async for task in client.follow(task_id):
            advance(task)
    ended = await client.task(task_id)
    if ended["status"] != "completed":
        raise failure_of(ended)
    return ended


def failure_of(task: Mapping[str, Any]) -> RunFailedError | RunUnavailableError:
    """Why a task of a service has not completed; the error says whether trying again may help."""
    message = task["error"] or f"the task was {task['status']}"
    codes = (task["result"] or {}).get("error_codes", {})
    return RunFailedError(message) if _MAY_PASS.isdisjoint(codes) else RunUnavailableError(message)
