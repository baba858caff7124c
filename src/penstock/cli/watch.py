"""`penstock watch`, `tasks` and `cancel`: the runs of a service, followed through its WebSocket."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from penstock.cli.client import ENDED, ServiceClient
from penstock.cli.signals import run
from penstock.cli.terminal import err, one_line, out, print_table
from penstock.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_FAILED = 3
_EXIT = {"completed": 0, "failed": _FAILED, "cancelled": _FAILED}

Service = Annotated[str | None, typer.Option("--url", help="The service.  [default: http://127.0.0.1:8000]", show_default=False)]
TaskArgument = Annotated[str, typer.Argument(metavar="TASK", help="The task's id.")]


def watch(
    task: Annotated[
        str | None, typer.Argument(metavar="[TASK]", help="The task's id; without one all tasks, until Ctrl-C.", show_default=False)
    ] = None,
    url: Service = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print each state as one JSON object a line.")] = False,
) -> None:
    """Follow a task, or all of them, while they run; ends with 3 when the task failed or was cancelled."""
    raise typer.Exit(run(_watch(service_url(url), task, as_json=as_json)))


def tasks(url: Service = None, as_json: Annotated[bool, typer.Option("--json", help="Print one JSON array.")] = False) -> None:
    """List the tasks that are active, or ended a short while ago."""
    found = run(_with(service_url(url), lambda client: client.tasks()))
    if as_json:
        typer.echo(json.dumps(found))
        return
    table = Table("task", "type", "status", "%", "message", box=None)
    for one in found:
        table.add_row(one["task_id"], one["task_type"], one["status"], str(one["progress"]), one_line(one["error"] or one["message"]))
    print_table(table)


def cancel(task: TaskArgument, url: Service = None) -> None:
    """Cancel a task; whole pages that it has written stay."""
    run(_with(service_url(url), lambda client: client.cancel(task)))
    out.print(f"task {task} will stop")


def service_url(url: str | None) -> str:
    """Where the service is: as given, else where the settings say that it listens."""
    settings = load_settings()
    return url or f"http://{settings.host}:{settings.port}"


async def _with(url: str, call: Any) -> Any:  # noqa: ANN401 - whatever the call gives
    async with ServiceClient(url) as client:
        return await call(client)


async def _watch(url: str, task_id: str | None, *, as_json: bool) -> int:
    async with ServiceClient(url) as client:
        states = client.follow(task_id)
        status = await (_print_json(states) if as_json else show_bars(states))
    return _EXIT.get(status, 0)


async def _print_json(states: AsyncIterator[dict[str, Any]]) -> str:
    status = ""
    async for task in states:
        typer.echo(json.dumps(task))
        status = task["status"]
    return status


async def show_bars(states: AsyncIterator[dict[str, Any]]) -> str:
    """A bar for each task on a terminal, a line for each ended one elsewhere; gives the last status."""
    columns = (
        TextColumn("{task.fields[kind]}"),
        BarColumn(bar_width=30),
        TextColumn("{task.percentage:>3.0f}%"),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
    )
    status = ""
    with Progress(*columns, console=err, disable=not err.is_terminal) as bars:
        shown: dict[str, TaskID] = {}
        async for task in states:
            status = task["status"]
            text = task["error"] or task["message"] or ""
            bar = shown.setdefault(task["task_id"], TaskID(-1))
            if bar == TaskID(-1):
                bar = shown[task["task_id"]] = bars.add_task("", total=100, kind=task["task_type"])
            bars.update(bar, completed=task["progress"], description=f"{status}  {text}")
            if status in ENDED and not err.is_terminal:
                err.print(f"{task['task_id']} {status} {text}".rstrip())
    return status
