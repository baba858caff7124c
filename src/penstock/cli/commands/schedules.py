"""`penstock schedules`: what runs automatically, and when."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from penstock.api.schemas.schedule import ScheduleShown
from penstock.cli.options import Database
from penstock.cli.shown.terminal import err, fitting_table, print_table, shown_time
from penstock.cli.signals import run
from penstock.opening import open_reader
from penstock.settings import load_settings
from penstock.store.write.schedules import schedules as listed

if TYPE_CHECKING:
    from penstock.settings import Settings

_PAGE = 1_000
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def schedules(
    database: Database = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON array, times as ISO 8601.")
    ] = False,
) -> None:
    """List everything that runs automatically.

    Includes the schedules that Penstock creates, such as audits and clean-ups.

    Examples:
      penstock schedules
      penstock schedules --json
    """
    found = run(_all(load_settings(database_url=database)))
    if as_json:
        typer.echo(json.dumps(found))
        return
    if not found:
        err.print("no schedules yet: the first start of penstock serve creates them")
        return
    table = fitting_table(
        "name", "does", "when", "next (UTC)", "last (UTC)", whole=("name", "does")
    )
    for one in found:
        following = shown_time(one["next_run_at"]) if one["enabled"] else "off"
        table.add_row(
            one["name"], one["task_type"], _when(one), following, shown_time(one["last_run_at"])
        )
    print_table(table)


async def _all(settings: Settings) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    async with open_reader(settings) as database:
        last = 0
        while rows := await database.read(partial(listed, after_id=last, limit=_PAGE)):
            found += [ScheduleShown.of(row).values() for row in rows]
            last = rows[-1].id
    return found


def _when(one: dict[str, Any]) -> str:
    if one["interval_seconds"] is None:
        return f"{one['cron']} {one['timezone'] or ''}".strip()
    size, unit = next((size, unit) for size, unit in _UNITS if one["interval_seconds"] % size == 0)
    return f"every {one['interval_seconds'] // size} {unit}"
