"""Waiting for a task that a command has ordered."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import asdict
from typing import TYPE_CHECKING

from penstock.cli.client import TASK, failure_of
from penstock.cli.shown.terminal import err
from penstock.errors import PenstockError
from penstock.moment import iso

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from _typeshed import DataclassInstance

    from penstock.cli.client import ApiClient
    from penstock.cli.shown.text import Fields

    # The path and the body of a POST request.
    Order = tuple[str, Mapping[str, object] | None]


def body_of(order: DataclassInstance, *, times: Collection[str]) -> Fields:
    """The fields of an order as the API takes them: `times` as ISO 8601, those given alone."""
    given = {name: value for name, value in asdict(order).items() if value is not None}
    return given | {name: iso(given[name]) for name in times if name in given}


async def waited(
    client: ApiClient,
    order: Order,
    advance: Callable[[Fields], None],
    *,
    cancelled: Callable[[Fields], str],
    at: str = TASK,
) -> Fields:
    """The completed task of an order; raises the task's error when it did not complete.

    `at` is the path of its states. An interruption cancels a task of this process, and
    `cancelled` gives the text about what stays; a service continues its own.
    """
    task_id = None
    try:
        path, body = order
        task_id = (await client.call("POST", path, body))["task_id"]
        async for state in client.states(f"{at}/{task_id}"):
            advance(state)
    except asyncio.CancelledError:
        if client.transport.url is None:
            await client.transport.stop()
            err.print(cancelled(await _left(client, at, task_id)))
        elif task_id is not None:
            say = f"see penstock watch {task_id}, or penstock cancel {task_id}"
            err.print(f"the service continues it; {say}")
        raise
    if state["status"] != "completed":
        raise failure_of(state)
    return state


async def _left(client: ApiClient, at: str, task_id: str | None) -> Fields:
    """The ended task; empty when it never began or cannot be read now."""
    if task_id is not None:
        with contextlib.suppress(PenstockError):
            found: Fields = await client.call("GET", f"{at}/{task_id}")
            return found
    return {}
