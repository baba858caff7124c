"""The two consoles, tables that fit a terminal, questions, and times as users write them."""

from __future__ import annotations

import datetime as dt
import functools
import json
import sys
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.table import Table

from penstock.cli.shown.text import one_line
from penstock.errors import InvalidInputError
from penstock.moment import iso_or_none

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable


_WIDER_THAN_ANY_TABLE = 1_000

# No markup: text from a provider may hold brackets that rich would interpret.
_console = functools.partial(Console, highlight=False, markup=False, emoji=False)
out = _console(soft_wrap=True)
err = _console(stderr=True, soft_wrap=True)


def print_json(value: object) -> None:
    """Print a value as one line of JSON."""
    typer.echo(json.dumps(value))


def print_rows(
    names: Iterable[str],
    rows: Iterable[Iterable[object]],
    *,
    whole: Collection[str] = (),
    right: Collection[str] = (),
) -> None:
    """Print a table, wrapped to a terminal; elsewhere each row is one line.

    Columns named in `whole` never wrap; `right` ones are numbers. The lines of a list are kept.
    """
    table = Table(box=None, pad_edge=False)
    for name in names:
        table.add_column(
            name,
            no_wrap=name in whole,
            overflow="fold",
            justify="right" if name in right else "left",
        )
    for row in rows:
        table.add_row(*map(_cell, row))
    if out.is_terminal:
        _console().print(table)
        return
    for line in table_lines(table):
        out.print(line)


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case list():
            return "\n".join(value)
        case _:
            return one_line(str(value))


def table_lines(table: Table) -> list[str]:
    """The lines of a table whose cells have one line each, at full width."""
    wide = _console(width=_WIDER_THAN_ANY_TABLE, force_terminal=False)
    with wide.capture() as captured:
        wide.print(table)
    return [line.rstrip() for line in captured.get().splitlines()]


def print_sentence(text: str, console: Console = out) -> None:
    """Print text wrapped between words on a terminal, and as one line elsewhere."""
    console.print(text, soft_wrap=not console.is_terminal)


def confirmed(question: str) -> bool:
    """The answer to a yes-or-no question; InvalidInputError where there is no terminal."""
    if not sys.stdin.isatty():
        raise InvalidInputError(f"yes: {question} No terminal; pass --yes", field="yes")
    return typer.confirm(question, err=True)


def seconds_between(start: str, end: str) -> float:
    """Seconds between two ISO 8601 times."""
    return (dt.datetime.fromisoformat(end) - dt.datetime.fromisoformat(start)).total_seconds()


def parse_time(text: str, *, field: str) -> int:
    """Ms since the epoch, of an ISO 8601 date or time (UTC by default) or of a number of ms.

    InvalidInputError for anything else.
    """
    try:
        is_number = text.isascii() and text.isdecimal()
        at = (
            dt.datetime.fromtimestamp(int(text) / 1000, tz=dt.UTC)
            if is_number
            else dt.datetime.fromisoformat(text)
        )
        at_ms = int((at if at.tzinfo else at.replace(tzinfo=dt.UTC)).timestamp() * 1000)
    except (ValueError, OverflowError, OSError):
        at_ms = -1
    if at_ms < 0:
        examples = "2025-01-31, 2025-01-31T08:00 or 1738310400000 (ms)"
        raise InvalidInputError(
            f"{field}: {text[:40]!r} is not a valid time; write one like {examples}", field=field
        )
    return at_ms


def time_or_none(text: str | None, *, field: str) -> int | None:
    """The same for an option that may be left out."""
    return None if text is None else parse_time(text, field=field)


def shown_time(iso: str | None) -> str:
    """A time of the API in seconds, as two words that can wrap; empty for None."""
    return (iso or "")[: len("2026-01-31T12:00:00")].replace("T", " ")


def show_time(at_ms: int | None) -> str:
    """The same for ms since the epoch."""
    return shown_time(iso_or_none(at_ms))
