"""What the commands share: the two consoles, the progress bar, times as users write them."""

from __future__ import annotations

import contextlib
import datetime as dt
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from penstock.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from penstock.market.collect import Progress

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False)


@contextlib.contextmanager
def progress_bar() -> Iterator[Callable[[Progress], None]]:
    """A bar on a terminal; nothing when the output goes elsewhere."""
    if not err.is_terminal:
        yield lambda _: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rows]:,} candles"), TimeElapsedColumn())
    with Bar(*columns, console=err, transient=True) as bar:
        task = bar.add_task("Collecting", total=None, rows=0)
        yield lambda progress: bar.update(task, total=progress.total, completed=progress.done, rows=progress.counters.written)


def parse_time(text: str, *, field: str) -> int:
    """Ms since the epoch of an ISO 8601 date or time (UTC unless it says otherwise) or of a number of ms; InvalidInputError else."""
    try:
        at = dt.datetime.fromtimestamp(int(text) / 1000, tz=dt.UTC) if text.isdecimal() else dt.datetime.fromisoformat(text)
        at_ms = int((at if at.tzinfo else at.replace(tzinfo=dt.UTC)).timestamp() * 1000)
    except (ValueError, OverflowError, OSError):
        at_ms = -1
    if at_ms < 0:
        message = f"{field}: {text[:40]!r} is no time; write one like 2025-01-31, 2025-01-31T08:00 or 1738310400000 (ms)"
        raise InvalidInputError(message, field=field)
    return at_ms


def show_time(at_ms: int) -> str:
    """A time as ISO 8601, UTC, in seconds."""
    return dt.datetime.fromtimestamp(at_ms / 1000, tz=dt.UTC).strftime("%Y-%m-%d %H:%M:%S")
