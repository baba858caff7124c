"""Options that several commands have."""

from __future__ import annotations

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
Exchange = Annotated[str, typer.Option(metavar="NAME", help="The exchange.")]
