"""`penstock schedules`: what runs automatically, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.api.schemas.schedule import ScheduleShown
from penstock.cli.options import Database, JsonArrayIso
from penstock.cli.reading import read
from penstock.cli.shown.terminal import (
    err,
    print_json,
    print_rows,
    print_sentence,
    shown_time,
)
from penstock.domains.automatic import automatic_by_service
from penstock.settings import load_settings
from penstock.store.write.schedules import schedules as listed

if TYPE_CHECKING:
    from penstock.cli.shown.text import Fields

_MOST = 100_000
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def schedules(
    database: Database = None,
    as_json: JsonArrayIso = False,
) -> None:
    """List everything that runs automatically.

    Includes the schedules that Penstock creates, such as audits and clean-ups.

    Examples:
      penstock schedules
      penstock schedules --json
    """
    settings = load_settings(database_url=database)
    kept = read(
        database,
        lambda connection: listed(
            connection, automatic_by_service(connection, settings).asleep, limit=_MOST
        ),
    )
    found = [ScheduleShown.of(row).values() for row in kept]
    if as_json:
        print_json(found)
        return
    if not found:
        err.print("no schedules yet: the first start of penstock serve creates them")
        return
    rows = (
        (
            schedule["name"],
            schedule["task_type"],
            _when(schedule),
            _next(schedule),
            shown_time(schedule["last_run_at"]),
        )
        for schedule in found
    )
    names = ("name", "does", "when", "next (UTC)", "last (UTC)")
    print_rows(names, rows, whole=("name", "does"))
    for reason in dict.fromkeys(schedule["asleep"] for schedule in found):
        if reason is not None:
            print_sentence(f"asleep: {reason}", err)


def _next(schedule: Fields) -> str:
    if not schedule["enabled"]:
        return "off"
    return "asleep" if schedule["asleep"] is not None else shown_time(schedule["next_run_at"])


def _when(schedule: Fields) -> str:
    seconds = schedule["interval_seconds"]
    if seconds is None:
        return f"{schedule['cron']} {schedule['timezone'] or ''}".strip()
    size, unit = next((size, unit) for size, unit in _UNITS if seconds % size == 0)
    return f"every {seconds // size} {unit}"
