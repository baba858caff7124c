"""`penstock serve`: the service."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from penstock.api.server import serve as serve_api
from penstock.app import open_app
from penstock.cli.collect import Database
from penstock.cli.terminal import err
from penstock.settings import Settings, load_settings


def serve(
    host: Annotated[str | None, typer.Option(help="The address to listen on.  [default: 127.0.0.1]", show_default=False)] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65_535, help="The port to listen on.  [default: 8000]", show_default=False)] = None,
    database: Database = None,
) -> None:
    """Serve the API until Ctrl-C."""
    asyncio.run(_serve(load_settings(database_url=database, host=host, port=port)))


async def _serve(settings: Settings) -> None:
    async with open_app(settings, serving=f"http://{settings.host}:{settings.port}") as app:
        await serve_api(app, on_ready=lambda url: err.print(f"Penstock serves at {url} (Ctrl-C ends it)"))
