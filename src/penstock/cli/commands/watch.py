"""`penstock watch`, `tasks` and `cancel`: the tasks of a service."""

from __future__ import annotations

import contextlib
import time
from itertools import compress
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from penstock.cli.client import COLLECTOR, ENDED, TASK, ApiClient
from penstock.cli.http import Service, service_at
from penstock.cli.options import JsonArray
from penstock.cli.shown.progress import work_text
from penstock.cli.shown.terminal import err, out, print_json, print_rows, shown_time
from penstock.cli.shown.text import one_line
from penstock.cli.signals import run
from penstock.opening import serving_url
from penstock.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from penstock.cli.shown.text import Fields


_FAILED = 3
# From this width on, a terminal has room for all columns beside a message.
_ROOMY = 120
_BAR_CHARS, _NARROW_BAR_CHARS = 30, 8
_EXIT = {"completed": 0, "failed": _FAILED, "cancelled": _FAILED}

Url = Annotated[
    str | None,
    typer.Option(
        "--url",
        metavar="URL",
        help="The service to ask.",
        show_default="the one that owns the database, or http://127.0.0.1:8000",
    ),
]
TaskArgument = Annotated[str, typer.Argument(metavar="TASK", help="The task's id.")]


def watch(
    task: Annotated[
        str | None,
        typer.Argument(
            metavar="TASK",
            help="The task's id; without one, all tasks until Ctrl-C.",
        ),
    ] = None,
    url: Url = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print each state as a line of JSON.")
    ] = False,
) -> None:
    """Follow one task or all of them.

    Exits with 3 when the task failed or was cancelled.

    Examples:
      penstock watch
      penstock watch 0b5c2c1e-8f0c-4a6e-9d6b-0f5f3f3b1c55
    """
    raise typer.Exit(run(_watch(url, task, as_json=as_json)))


def tasks(
    url: Url = None,
    as_json: JsonArray = False,
) -> None:
    """List the active tasks and those that ended recently.

    Examples:
      penstock tasks
      penstock tasks --json
    """
    found = run(_call(url, "GET", f"{COLLECTOR}/tasks"))["tasks"]
    if as_json:
        print_json(found)
    else:
        _show(found)


def _show(found: Sequence[Fields]) -> None:
    """A narrow terminal has no column for type and end; times and messages wrap there."""
    roomy = not out.is_terminal or out.width >= _ROOMY
    names = ("task", "type", "status", "%", "started (UTC)", "ended (UTC)", "message")
    shown = [roomy or name not in {"type", "ended (UTC)"} for name in names]
    rows = (
        (
            task["task_id"],
            task["task_type"],
            task["status"],
            task["progress"],
            shown_time(task["started_at"]),
            shown_time(task["completed_at"]),
            task["error"] or task["message"],
        )
        for task in found
    )
    print_rows(
        compress(names, shown),
        (compress(row, shown) for row in rows),
        whole=("task", "type", "status", "%"),
        right=("%",),
    )


def cancel(task: TaskArgument, url: Url = None) -> None:
    """Cancel a task and keep the pages it has written.

    Examples:
      penstock cancel 0b5c2c1e-8f0c-4a6e-9d6b-0f5f3f3b1c55
    """
    run(_call(url, "POST", f"{TASK}/{task}/cancel"))
    out.print(f"task {task} is being cancelled")


@contextlib.asynccontextmanager
async def _service(url: str | None) -> AsyncIterator[Service]:
    """The service at the given address, else the one that owns the SQLite file, else ours."""
    settings = load_settings()
    async with service_at(url or serving_url(settings) or settings.url, settings) as service:
        yield service


async def _call(url: str | None, method: str, path: str) -> Any:  # noqa: ANN401 - JSON
    async with _service(url) as service:
        return await ApiClient(service, load_settings()).call(method, path)


async def _watch(url: str | None, task_id: str | None, *, as_json: bool) -> int:
    async with _service(url) as service:
        states = _followed(service, task_id)
        status = await (_print_json(states) if as_json else show_bars(states))
    return _EXIT.get(status, 0)


async def _followed(service: Service, task_id: str | None) -> AsyncIterator[Fields]:
    """Each state of a task until it ends; without a task, the states of all tasks for ever."""
    if task_id is not None:
        task = await ApiClient(service, load_settings()).call("GET", f"{TASK}/{task_id}")
        if task["status"] in ENDED:
            yield task
            return
    async for state in service.updates(task_id):
        yield state
        if task_id is not None and state["status"] in ENDED:
            return


async def _print_json(states: AsyncIterator[Fields]) -> str:
    status = ""
    async for task in states:
        print_json(task)
        status = task["status"]
    return status


async def show_bars(states: AsyncIterator[Fields]) -> str:
    """Show a bar for each task on a terminal, or a line for each ended one.

    Returns the last status.
    """
    roomy = err.width >= _ROOMY
    columns = (
        TextColumn("{task.fields[kind]}", markup=False),
        BarColumn(bar_width=_BAR_CHARS if roomy else _NARROW_BAR_CHARS),
        TextColumn("{task.percentage:>3.0f}%"),
        _TaskText(),
        # A narrow terminal needs the room for the message.
        *([TimeElapsedColumn()] if roomy else []),
    )
    status = ""
    with Progress(*columns, console=err, disable=not err.is_terminal) as bars:
        shown: dict[str, TaskID] = {}
        async for task in states:
            status = task["status"]
            bar = shown.setdefault(task["task_id"], TaskID(-1))
            if bar == TaskID(-1):
                bar = shown[task["task_id"]] = bars.add_task(
                    "", total=100, kind=task["task_type"], state=task
                )
            bars.update(bar, completed=task["progress"], state=task)
            if status in ENDED and not err.is_terminal:
                err.print(f"{task['task_id']} {status} {_message(task)}".rstrip())
    return status


class _TaskText(ProgressColumn):
    """What a task does, with a live countdown of its waits; a long text wraps."""

    def render(self, task: Task) -> Text:
        state = task.fields["state"]
        text = work_text(state, time.time()) if state["status"] not in ENDED else ""
        return Text(text or f"{state['status']}  {_message(state)}", overflow="fold")


def _message(task: Fields) -> str:
    return one_line(task["error"] or task["message"] or "")
