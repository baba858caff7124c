"""`penstock serve`: the service."""

from __future__ import annotations

from typing import Annotated

import typer

from penstock.app import open_app
from penstock.cli.options import Database
from penstock.cli.shown.terminal import err
from penstock.cli.signals import run, until_signal
from penstock.errors import InvalidInputError
from penstock.logs import log_to_stderr
from penstock.opening import database_file
from penstock.settings import Settings, load_settings


def serve(
    host: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="The address to listen on.", show_default="127.0.0.1"),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65_535,
            metavar="PORT",
            help="The port to listen on; 0 takes a free one.",
            show_default="8000",
        ),
    ] = None,
    database: Database = None,
    work: Annotated[
        bool,
        typer.Option(
            "--worker/--no-worker", metavar="", help="Work on queued runs too, not only answer."
        ),
    ] = True,
) -> None:
    """Serve the API, collect on schedule and on demand, until Ctrl-C."""
    settings = load_settings(database_url=database, host=host, port=port)
    log_to_stderr(settings.log_level or "info")
    if not work and database_file(settings):
        message = "no-worker: on SQLite nobody else can work on the runs; leave it out, or use PostgreSQL with `penstock worker`"
        raise InvalidInputError(message, field="no-worker")
    run(_serve(settings, work=work))


async def _serve(settings: Settings, *, work: bool) -> None:
    from penstock.api.server import listening, refuse_open_door, running  # noqa: PLC0415 - importing the web framework takes longer than most commands do

    await refuse_open_door(settings)
    with listening(settings) as door:
        async with (
            open_app(settings, serving=door.url) as app,
            app.working() if work else app.listening(),
            app.scheduling(),
            running(app, door),
        ):
            err.print(f"Penstock serves at {door.url} (Ctrl-C ends it)")
            await until_signal()
