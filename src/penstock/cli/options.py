"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

Database = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="sqlite:////path/file.db or postgresql://user@host/name.",
        show_default="PENSTOCK_DATABASE_URL, or a file in the data folder",
    ),
]
Timeframes = Annotated[
    list[str] | None,
    typer.Option(
        "-t",
        "--timeframe",
        metavar="STEP",
        help="1m, 5m, 1h, 1d …; repeat it or use commas for several.",
        show_default=False,
    ),
]
Exchange = Annotated[str, typer.Option(metavar="NAME", help="The exchange.")]
Exchanges = Annotated[
    str | None,
    typer.Option("--exchange", metavar="NAME", help="Only this exchange.", show_default=False),
]

OpensFrom = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="Only candles that open at or after this time (UTC).",
        show_default=False,
    ),
]
OpensBefore = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="Only candles that open before this time (UTC).",
        show_default=False,
    ),
]


def timeframes_of(given: Sequence[str] | None) -> list[str] | None:
    """The timeframes, given one by one or with commas; None when there are none."""
    return [
        name.strip() for names in given or () for name in names.split(",") if name.strip()
    ] or None
