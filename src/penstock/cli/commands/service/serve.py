"""`penstock serve`: the service."""

from __future__ import annotations

import contextlib
import time
from typing import Annotated

import typer

from penstock.app import App, open_app
from penstock.cli.options import Database, Port
from penstock.cli.shown.terminal import show_time
from penstock.cli.signals import run, until_signal
from penstock.errors import InvalidInputError
from penstock.logs import log_to_stderr
from penstock.opening import database_file, masked_url
from penstock.settings import Settings, load_settings


def serve(
    host: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="The address to listen on.", show_default="127.0.0.1"),
    ] = None,
    port: Port = None,
    database: Database = None,
    work: Annotated[
        bool,
        typer.Option("--worker/--no-worker", help="Also work on queued runs."),
    ] = True,
) -> None:
    """Serve the API and collect, until Ctrl-C.

    Examples:
      penstock serve
      penstock serve --host 0.0.0.0 --port 9000
      penstock serve --database postgresql://penstock@db/penstock --no-worker
    """
    settings = load_settings(database_url=database, host=host, port=port)
    log_to_stderr(settings.log_level or "info")
    if not work and database_file(settings):
        way_out = "leave it out, or use PostgreSQL with `penstock worker`"
        raise InvalidInputError(
            f"no-worker: on SQLite no other process can work on the runs; {way_out}",
            field="no-worker",
        )
    run(_serve(settings, work=work))


async def _serve(settings: Settings, *, work: bool) -> None:
    # Importing the web framework takes longer than most commands do.
    from penstock.api.server import listening, refuse_open_door, running  # noqa: PLC0415 - slow

    await refuse_open_door(settings)
    with listening(settings) as door:
        async with (
            open_app(settings, serving=door.url) as app,
            app.working() if work else contextlib.nullcontext(),
            app.scheduling(),
            running(app, door),
        ):
            await until_stopped(app, f"Penstock serves at {door.page}")


async def until_stopped(app: App, started: str) -> None:
    """Print the start line, with the database and the next scheduled run; wait for the signal."""
    next_run = "nothing is scheduled"
    if (due := await app.schedules.next_due()) is not None:
        name, at_ms = due
        at_ms = max(at_ms, int((time.time() + app.settings.scheduler_delay_s) * 1000))
        next_run = f"next run: {name} at {show_time(at_ms)} UTC"
    state = f"database: {masked_url(app.settings)}; {next_run}"
    await until_signal(f"{started} (press Ctrl-C to stop); {state}")
