"""`penstock watch`, `tasks` and `cancel`: the runs of a service, followed through its WebSocket."""

from __future__ import annotations

import json
import time
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
from rich.table import Table
from rich.text import Text

from penstock.cli.client import COLLECTOR, ENDED, TASK, Client
from penstock.cli.http import Service
from penstock.cli.shown.progress import work_text
from penstock.cli.shown.terminal import err, out, print_table
from penstock.cli.shown.text import one_line
from penstock.cli.signals import run
from penstock.opening import serving_url
from penstock.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

_FAILED = 3
# The width of `data_collection`, and how wide a terminal has to be to show any type whole beside a message.
_TYPE_CHARS = 15
_ROOMY = 120
_BAR_CHARS, _NARROW_BAR_CHARS = 30, 8
_EXIT = {"completed": 0, "failed": _FAILED, "cancelled": _FAILED}

Url = Annotated[
    str | None,
    typer.Option(
        "--url",
        help="The service.  [default: the one that owns the database, or http://127.0.0.1:8000]",
        show_default=False,
    ),
]
TaskArgument = Annotated[str, typer.Argument(metavar="TASK", help="The task's id.")]


def watch(
    task: Annotated[
        str | None,
        typer.Argument(
            metavar="[TASK]",
            help="The task's id; without one all tasks, until Ctrl-C.",
            show_default=False,
        ),
    ] = None,
    url: Url = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print each state as one JSON object a line.")
    ] = False,
) -> None:
    """Follow a task, or all of them, while they run; ends with 3 when the task failed or was cancelled."""
    raise typer.Exit(run(_watch(service_url(url), task, as_json=as_json)))


def tasks(
    url: Url = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON array.")] = False,
) -> None:
    """List the tasks that are active, or ended a short while ago."""
    found = run(_tasks(service_url(url)))
    if as_json:
        typer.echo(json.dumps(found))
        return
    print_table(_table(found), fit=True)


def _table(found: Sequence[Mapping[str, Any]]) -> Table:
    """On a narrow terminal the message gets what the others leave, over several lines, and a long type is cut."""
    narrow = out.is_terminal and out.width < _ROOMY
    table = Table(box=None, pad_edge=False)
    table.add_column("task", no_wrap=True)
    table.add_column("type", no_wrap=True, width=_TYPE_CHARS if narrow else None)
    table.add_column("status", no_wrap=True)
    table.add_column("%", no_wrap=True)
    table.add_column("message", overflow="fold")
    for one in found:
        table.add_row(
            one["task_id"],
            one["task_type"],
            one["status"],
            str(one["progress"]),
            one_line(one["error"] or one["message"]),
        )
    return table


def cancel(task: TaskArgument, url: Url = None) -> None:
    """Cancel a task; whole pages that it has written stay."""
    run(_cancel(service_url(url), task))
    out.print(f"task {task} will stop")


def service_url(url: str | None) -> str:
    """Where the service is: as given, else the one that owns the SQLite file, else where the settings say that it listens."""
    settings = load_settings()
    return url or serving_url(settings) or settings.url


async def _tasks(url: str) -> list[dict[str, Any]]:
    async with Service(url) as service:
        answer = await Client(service, load_settings()).call("GET", f"{COLLECTOR}/tasks")
        return list(answer["tasks"])


async def _cancel(url: str, task_id: str) -> None:
    async with Service(url) as service:
        await Client(service, load_settings()).call("POST", f"{TASK}/{task_id}/cancel")


async def _watch(url: str, task_id: str | None, *, as_json: bool) -> int:
    async with Service(url) as service:
        states = _followed(service, task_id)
        status = await (_print_json(states) if as_json else show_bars(states))
    return _EXIT.get(status, 0)


async def _followed(service: Service, task_id: str | None) -> AsyncIterator[dict[str, Any]]:
    """Each state of a task until it has ended; without one, those of all tasks for ever."""
    if (
        task_id is not None
        and (task := await Client(service, load_settings()).task(task_id))["status"] in ENDED
    ):
        yield task
        return
    async for state in service.updates(task_id):
        yield state
        if task_id is not None and state["status"] in ENDED:
            return


async def _print_json(states: AsyncIterator[dict[str, Any]]) -> str:
    status = ""
    async for task in states:
        typer.echo(json.dumps(task))
        status = task["status"]
    return status


async def show_bars(states: AsyncIterator[dict[str, Any]]) -> str:
    """A bar for each task on a terminal, a line for each ended one elsewhere; gives the last status."""
    roomy = err.width >= _ROOMY
    columns = (
        TextColumn("{task.fields[kind]}", markup=False),
        BarColumn(bar_width=_BAR_CHARS if roomy else _NARROW_BAR_CHARS),
        TextColumn("{task.percentage:>3.0f}%"),
        _Said(),
        # On a narrow terminal there is no room for it beside a message.
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


class _Said(ProgressColumn):
    """What a task does; a wait counts down by itself. A text that is too long goes on in the next line."""

    def render(self, task: Task) -> Text:
        state = task.fields["state"]
        text = work_text(state, time.time()) if state["status"] not in ENDED else ""
        return Text(text or f"{state['status']}  {_message(state)}", overflow="fold")


def _message(task: Mapping[str, Any]) -> str:
    return one_line(task["error"] or task["message"] or "")
