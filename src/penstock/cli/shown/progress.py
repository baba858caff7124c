"""The progress of a task: a bar on a terminal, a line every 30 s elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import time
from typing import TYPE_CHECKING

from rich.progress import BarColumn, Progress, ProgressColumn, Task
from rich.text import Text

from penstock.cli.shown.terminal import err
from penstock.cli.shown.text import lasting, one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from penstock.cli.shown.text import Fields

_BAR_CHARS, _NARROW_BAR_CHARS = 30, 8
_ROOMY = 100
_LINE_EVERY_S = 30.0


def progress_text(task: Fields, now: float) -> str:
    """A task of the API in one line: percent, count, rate and time left, or what it waits for.

    `now` is in s since the epoch.
    """
    text = work_text(task, now) or one_line(task["message"] or "")
    return f"{task['progress']} %, {text}" if text else f"{task['progress']} %"


def work_text(task: Fields, now: float) -> str:
    """The same without the percent; empty for a task that neither counts nor waits."""
    if (waiting := task["waiting"]) is not None:
        left = dt.datetime.fromisoformat(waiting["until"]).timestamp() - now
        return f"waiting {lasting(max(0.0, left))} for {one_line(waiting['reason'])}"
    if (work := task["work"]) is None or not work["total"]:
        return ""
    parts = [
        f"{work['done']:,} of {work['total']:,} {work['unit']}",
        f"{work['per_second']:,.0f}/s",
    ]
    if work["seconds_left"] is not None:
        parts.append(f"{lasting(work['seconds_left'])} left")
    return ", ".join(parts)


@contextlib.contextmanager
def shown_progress(doing: str = "Collecting") -> Iterator[Callable[[Fields], None]]:
    """Gives a function to call with each state of a task, as the API sends it.

    It reads the fields `progress`, `message`, `work` and `waiting`.
    """
    with _bar(doing) if err.is_terminal else _lines() as advance:
        yield advance


@contextlib.contextmanager
def _bar(doing: str) -> Iterator[Callable[[Fields], None]]:
    bar_chars = _BAR_CHARS if err.width >= _ROOMY else _NARROW_BAR_CHARS
    with Progress(
        BarColumn(bar_width=bar_chars), _ProgressText(doing), console=err, transient=True
    ) as bar:
        shown = bar.add_task("", total=None, state=None)

        def advance(task: Fields) -> None:
            bar.update(shown, total=100, completed=task["progress"], state=task)

        yield advance


class _ProgressText(ProgressColumn):
    """The text beside the bar, with a live countdown."""

    def __init__(self, doing: str) -> None:
        super().__init__()
        self._doing = doing

    def render(self, task: Task) -> Text:
        state = task.fields["state"]
        return Text(self._doing if state is None else progress_text(state, time.time()))


@contextlib.contextmanager
def _lines() -> Iterator[Callable[[Fields], None]]:
    newest: list[Fields] = []

    async def tell() -> None:
        while True:
            await asyncio.sleep(_LINE_EVERY_S)
            if newest:
                err.print(progress_text(newest[-1], time.time()))

    def advance(task: Fields) -> None:
        newest[:] = [task]

    telling = asyncio.get_running_loop().create_task(tell())
    try:
        yield advance
    finally:
        telling.cancel()
