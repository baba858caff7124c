"""`penstock worker`: works on queued runs, beside other workers of one PostgreSQL."""

from __future__ import annotations

from penstock.app import open_app
from penstock.cli.commands.service.heartbeat import beating
from penstock.cli.commands.service.serve import until_stopped
from penstock.cli.options import Database
from penstock.cli.signals import run
from penstock.errors import InvalidInputError
from penstock.logs import log_to_stderr
from penstock.opening import database_file
from penstock.settings import Settings, load_settings


def worker(database: Database = None) -> None:
    """Work on queued runs beside a service, until Ctrl-C.

    Any number of workers share one PostgreSQL database.

    Examples:
      penstock worker --database postgresql://penstock@db/penstock
    """
    settings = load_settings(database_url=database)
    log_to_stderr(settings.log_level or "info")
    run(_work(settings))


async def _work(settings: Settings) -> None:
    if database_file(settings) is not None:
        raise InvalidInputError(
            "database: workers need PostgreSQL; on SQLite `penstock serve` works alone",
            field="database",
        )
    async with open_app(settings) as app, app.working(), app.scheduling(), beating(app):
        await until_stopped(app, "The worker takes runs")
