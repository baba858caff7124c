"""`penstock alerts` and `penstock alert targets`: what fires, and where it is sent."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from penstock.api.schemas.alert import AlertShown, TargetShown
from penstock.cli.fresh import is_fresh, refuse_address
from penstock.cli.options import Database
from penstock.cli.reached import Reached, reached
from penstock.cli.shown.help import Commands
from penstock.cli.shown.terminal import err, fitting_table, out, print_table, show_time
from penstock.cli.shown.text import one_line
from penstock.cli.signals import run
from penstock.errors import InvalidInputError
from penstock.name import checked_name
from penstock.opening import open_reader
from penstock.settings import load_settings
from penstock.store.write.alerts.lists import AlertList, list_alerts, list_targets

if TYPE_CHECKING:
    from collections.abc import Mapping

    from penstock.alerts.book import Alert, TargetRow
    from penstock.settings import Settings

_UNDELIVERED = 4
_MOST = 1_000
_LEAST_KEY, _MOST_KEY = 16, 200
_LARGEST_ID = 2**31 - 1
_PATH = "/api/v1/admin/alerts/targets"

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON array.")]
TargetId = Annotated[
    int,
    typer.Argument(
        metavar="ID", min=1, max=_LARGEST_ID, help="As in `penstock alert targets list`."
    ),
]

alert = Commands("Choose where alerts are sent.")
targets = Commands("""Add, list, remove and test the targets of alerts.

Examples:
  penstock alert targets add ops https://example.com/hook
  penstock alert targets add phone ntfy://topic
  penstock alert targets test 1""")
alert.add_typer(targets, name="targets")


def alerts(database: Database = None, as_json: AsJson = False) -> None:
    """List the alerts that fire, and those of the last week.

    Examples:
      penstock alerts
      penstock alerts --json
    """
    found = run(_alerts(load_settings(database_url=database)))
    if as_json:
        typer.echo(json.dumps([AlertShown.of(one).values() for one in found]))
        return
    table = fitting_table("state", "since (UTC)", "what", whole=("state", "since (UTC)"))
    for one in found:
        table.add_row(one.state, show_time(one.since), one_line(one.message))
    print_table(table)


@targets.command()
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A name of your choice.")],
    url: Annotated[
        str,
        typer.Argument(
            metavar="URL", help="A webhook (https://…) or an Apprise URL, such as ntfy://topic."
        ),
    ],
    signing_key: Annotated[
        str | None,
        typer.Option(
            metavar="KEY",
            help="The key that signs a webhook's messages.",
            show_default="a new one",
            envvar="PENSTOCK_SIGNING_KEY",
        ),
    ] = None,
    database: Database = None,
) -> None:
    """Add a target and print the signing key of a webhook. The key is shown only once."""
    name = checked_name(name)
    _check_key(signing_key)
    settings = load_settings(database_url=database)
    given = {"name": name, "url": url, "signing_key": signing_key}
    target_id, key = run(_add(settings, reached(settings), given))
    err.print(f"Added target {target_id}, {one_line(name)}.")
    err.print(f"Test it with: penstock alert targets test {target_id}")
    if key:
        err.print("Signing key, shown only once:")
        typer.echo(key)


@targets.command("list")
def list_(database: Database = None, as_json: AsJson = False) -> None:
    """List the targets; the secret parts of their addresses are hidden."""
    found = run(_targets(load_settings(database_url=database)))
    if as_json:
        typer.echo(json.dumps([TargetShown.of(one).values() for one in found]))
        return
    table = fitting_table(
        "id", "name", "kind", "address", "enabled", whole=("id", "kind", "enabled")
    )
    for one in found:
        table.add_row(
            str(one.id),
            one_line(one.name),
            one.kind,
            one_line(one.shown),
            "yes" if one.enabled else "no",
        )
    print_table(table)


@targets.command()
def remove(target_id: TargetId, database: Database = None) -> None:
    """Remove a target, with everything that waits to be sent to it."""
    run(_remove(reached(load_settings(database_url=database)), target_id))
    out.print(f"target {target_id} is removed")


@targets.command("test")
def try_out(target_id: TargetId, database: Database = None) -> None:
    """Send a test message and print the response; exits with 4 when it was not delivered."""
    delivered, detail = run(_try_out(reached(load_settings(database_url=database)), target_id))
    out.print(f"{'delivered' if delivered else 'not delivered'}: {one_line(detail)}")
    if not delivered:
        raise typer.Exit(_UNDELIVERED)


def _check_key(signing_key: str | None) -> None:
    if signing_key is not None and not _LEAST_KEY <= len(signing_key) <= _MOST_KEY:
        length = f"{_LEAST_KEY} to {_MOST_KEY} characters"
        message = f"signing-key: must have {length}; leave it out to get a new one"
        raise InvalidInputError(message, field="signing-key")


async def _alerts(settings: Settings) -> list[Alert]:
    """Reads directly, also while a service owns the file."""
    async with open_reader(settings) as reader:
        return await reader.read(lambda connection: list_alerts(connection, AlertList(limit=_MOST)))


async def _targets(settings: Settings) -> list[TargetRow]:
    async with open_reader(settings) as reader:
        return await reader.read(list_targets)


async def _add(
    settings: Settings, side: Reached, given: Mapping[str, str | None]
) -> tuple[int, str | None]:
    if is_fresh(settings):
        await refuse_address(settings, str(given["url"]), given["signing_key"])
    async with side as client:
        made = await client.call("POST", _PATH, given)
        return made["id"], made["signing_key"]


async def _remove(side: Reached, target_id: int) -> None:
    async with side as client:
        await client.call("DELETE", f"{_PATH}/{target_id}")


async def _try_out(side: Reached, target_id: int) -> tuple[bool, str]:
    async with side as client:
        answer = await client.call("POST", f"{_PATH}/{target_id}/test")
        return answer["delivered"], answer["detail"]
