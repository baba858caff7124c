"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

Database = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="sqlite:////path/file.db or postgresql://user@host/name.",
        show_default="PENSTOCK_DATABASE_URL, or a file in the data folder",
    ),
]
_TIMEFRAMES = typer.Option(
    "-t",
    "--timeframe",
    metavar="STEP",
    help="1m, 5m, 1h, 1d …; repeat it or use commas for several.",
)
NeededTimeframes = Annotated[list[str], _TIMEFRAMES]
Timeframes = Annotated[list[str] | None, _TIMEFRAMES]
Port = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=65_535,
        metavar="PORT",
        help="The port to listen on; 0 takes a free one.",
        show_default="8000",
    ),
]
Yes = Annotated[bool, typer.Option("--yes", help="Skip the confirmation.")]
AnyJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
JsonArray = Annotated[bool, typer.Option("--json", help="Print one JSON array.")]
JsonArrayIso = Annotated[
    bool, typer.Option("--json", help="Print one JSON array, times as ISO 8601.")
]
JsonObject = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
JsonSummary = Annotated[bool, typer.Option("--json", help="Print the summary as one JSON object.")]
Exchange = Annotated[str, typer.Option(metavar="NAME", help="The exchange.")]
Exchanges = Annotated[
    str | None,
    typer.Option("--exchange", metavar="NAME", help="Only this exchange."),
]

MOST_SHOWN = 100_000
Limit = Annotated[int, typer.Option(min=1, max=MOST_SHOWN, metavar="N", help="Maximum to show.")]

OpensFrom = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="Only candles that open at or after this time (UTC).",
    ),
]
OpensBefore = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="Only candles that open before this time (UTC).",
    ),
]


def id_argument(text: str) -> Any:  # noqa: ANN401 - typer's type is private
    """An argument for the id of a row."""
    return typer.Argument(metavar="ID", min=1, max=2**31 - 1, help=text)


def timeframes_of(given: Sequence[str] | None) -> list[str] | None:
    """The timeframes, given one by one or with commas; None when there are none."""
    return [
        name.strip() for names in given or () for name in names.split(",") if name.strip()
    ] or None
