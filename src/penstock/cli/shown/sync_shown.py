"""A sync on the terminal: the bar while it runs, the summary at its end."""

from __future__ import annotations

import contextlib
import shlex
from typing import TYPE_CHECKING

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from penstock.cli.shown.terminal import (
    err,
    out,
    print_json,
    print_rows,
    print_sentence,
    seconds_between,
)
from penstock.cli.shown.text import one_line
from penstock.name import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from penstock.cli.shown.text import Fields

    Advance = Callable[[Fields], None]

# The width of everything beside the bar.
_TEXT_CHARS = 70
_BAR_CHARS = (8, 40)
COUNTS = ("new", "changed", "gone", "returned", "unchanged", "rejected", "unmapped")


@contextlib.contextmanager
def sync_bar() -> Iterator[Advance]:
    """A bar for the fields of a sync on a terminal; nothing elsewhere."""
    if not err.is_terminal:
        yield lambda _: None
        return
    narrowest, widest = _BAR_CHARS
    columns = (
        TextColumn("{task.fields[phase]:<7}"),
        BarColumn(bar_width=max(narrowest, min(widest, err.width - _TEXT_CHARS))),
        TextColumn("{task.percentage:>3.0f}%"),
        TextColumn("{task.description}", markup=False),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=err, transient=True) as bar:
        shown = bar.add_task("", total=100, phase="waiting")
        yield lambda sync: bar.update(
            shown,
            completed=sync["progress"],
            phase=sync["phase"] or "waiting",
            description=_pace(sync),
        )


def _pace(sync: Fields) -> str:
    """Bytes, rows, rate and time left, wide enough for a large inventory."""
    if not sync["bytes"]:
        return one_line(sync["message"])
    pace = f"{sync['rows_per_second']:,.0f} rows/s" if sync["rows"] else ""
    left = "" if sync["eta_seconds"] is None else f"{sync['eta_seconds']:.0f} s left"
    return f"{sync['bytes'] / 1e6:5.1f} MB  {sync['rows']:>7,} rows  {pace:>13}  {left:>8}"


def show_in_a_line(name: str, sync: Fields) -> None:
    """Print a sync in one line."""
    seconds = seconds_between(sync["started_at"], sync["finished_at"])
    print_sentence(f"inventory of {name}: {sync['message']}, {seconds:.2f} s")


def show_sync(name: str, sync: Fields, *, as_json: bool) -> None:
    """Print the summary, as text or as one JSON object."""
    if as_json:
        print_json(sync)
        return
    print_sentence(f"{name}: {verdict(sync)}")
    print_counts(sync["counts"])
    seconds = seconds_between(sync["started_at"], sync["finished_at"])
    rate = sync["rows"] / max(seconds, 1e-3)
    read = f"{counted(sync['rows'], 'row')} of {sync['bytes'] / 1e6:.1f} MB"
    out.print(f"{read} in {seconds:.2f} s, {rate:,.0f} rows/s")
    _say_what_next(shlex.quote(name), sync)


def print_counts(counts: Mapping[str, int]) -> None:
    """Print the counts that people look at, as a table."""
    print_rows(COUNTS, [[f"{counts[name]:,}" for name in COUNTS]], whole=COUNTS, right=COUNTS)


def verdict(sync: Fields) -> str:
    """The outcome in a sentence, with the rows that could not be read."""
    return f"{_outcome(sync)}; {sync['unread']}" if sync["unread"] else _outcome(sync)


def _outcome(sync: Fields) -> str:
    if sync["held"]:
        return f"held, nothing was changed: {'; '.join(sync['suspicions'].values())}"
    if sync["dry_run"] and (_differs(sync) or sync["suspicions"]):
        why_held = "; ".join(sync["suspicions"].values())
        held = f"; it would be held: {why_held}" if why_held else ""
        return f"dry run, nothing was changed{held}"
    if _differs(sync):
        return "published"
    unchanged = f"{counted(sync['counts']['unchanged'], 'product')} unchanged"
    return unchanged if sync["unread"] else f"nothing changed, {unchanged}"


def _differs(sync: Fields) -> bool:
    return any(sync["counts"][name] for name in COUNTS[:4])


def _say_what_next(name: str, sync: Fields) -> None:
    if sync["held"] or (sync["dry_run"] and _differs(sync)):
        print_sentence(f"See what would change with: penstock diff {name}")
        print_sentence(f"Then publish it with: penstock approve {name}")
        print_sentence(f"Or drop it with: penstock reject {name}")
    if sync["counts"]["rejected"]:
        err.print("rejected rows are in the table product_quarantine, with the reason")
