"""`penstock serve`: the service."""

from __future__ import annotations

from typing import Annotated

import typer

from penstock.app import open_app
from penstock.cli.collect import Database
from penstock.cli.signals import run, until_signal
from penstock.cli.terminal import err
from penstock.settings import Settings, load_settings


def serve(
    host: Annotated[str | None, typer.Option(metavar="ADDRESS", help="The address to listen on.", show_default="127.0.0.1")] = None,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65_535, metavar="PORT", help="The port to listen on; 0 takes a free one.", show_default="8000"),
    ] = None,
    database: Database = None,
) -> None:
    """Serve the API until Ctrl-C."""
    run(_serve(load_settings(database_url=database, host=host, port=port)))


async def _serve(settings: Settings) -> None:
    from penstock.api.server import listening, running  # noqa: PLC0415 - importing the web framework takes longer than most commands do

    with listening(settings) as door:
        async with open_app(settings, serving=door.url) as app, running(app, door):
            err.print(f"Penstock serves at {door.url} (Ctrl-C ends it)")
            await until_signal()
