"""`penstock alerts` and `penstock alert targets`: what fires, and where it is sent."""

from __future__ import annotations

from typing import Annotated

import typer

from penstock.api.schemas.alert import AlertShown, TargetShown
from penstock.cli.fresh import refuse_address, when_fresh
from penstock.cli.options import Database, JsonArray, id_argument
from penstock.cli.reached import call
from penstock.cli.reading import read
from penstock.cli.shown.help import Commands
from penstock.cli.shown.terminal import err, out, print_json, print_rows, show_time
from penstock.cli.shown.text import one_line
from penstock.errors import InvalidInputError
from penstock.name import checked_name
from penstock.store.write.alerts.lists import AlertList, list_alerts, list_targets

_UNDELIVERED = 4
_MOST = 1_000
_LEAST_KEY, _MOST_KEY = 16, 200
_PATH = "/api/v1/admin/alerts/targets"

TargetId = Annotated[int, id_argument("As in `penstock alert targets list`.")]

alert = Commands("Choose where alerts are sent.")
targets = Commands("""Add, list, remove and test the targets of alerts.

Examples:
  penstock alert targets add ops https://example.com/hook
  penstock alert targets add phone ntfy://topic
  penstock alert targets test 1""")
alert.add_typer(targets, name="targets")


def alerts(database: Database = None, as_json: JsonArray = False) -> None:
    """List the alerts that fire, and those of the last week.

    Examples:
      penstock alerts
      penstock alerts --json
    """
    found = read(
        database,
        lambda connection: list_alerts(connection, AlertList(limit=_MOST)),
    )
    if as_json:
        print_json([AlertShown.of(item).values() for item in found])
        return
    print_rows(
        ("state", "since (UTC)", "what"),
        ((item.state, show_time(item.since), item.message) for item in found),
        whole=("state", "since (UTC)"),
    )


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
    when_fresh(database, lambda settings: refuse_address(settings, url, signing_key))
    target = {"name": name, "url": url, "signing_key": signing_key}
    added = call(database, "POST", _PATH, target)
    err.print(f"Added target {added['id']}, {one_line(name)}.")
    err.print(f"Test it with: penstock alert targets test {added['id']}")
    if added["signing_key"]:
        err.print("Signing key, shown only once:")
        typer.echo(added["signing_key"])


@targets.command("list")
def list_(database: Database = None, as_json: JsonArray = False) -> None:
    """List the targets; the secret parts of their addresses are hidden."""
    found = read(database, list_targets)
    if as_json:
        print_json([TargetShown.of(target).values() for target in found])
        return
    rows = ((target.id, target.name, target.kind, target.shown, target.enabled) for target in found)
    names = ("id", "name", "kind", "address", "enabled")
    print_rows(names, rows, whole=("id", "kind", "enabled"))


@targets.command()
def remove(target_id: TargetId, database: Database = None) -> None:
    """Remove a target, with everything that waits to be sent to it."""
    call(database, "DELETE", f"{_PATH}/{target_id}")
    out.print(f"target {target_id} is removed")


@targets.command("test")
def try_out(target_id: TargetId, database: Database = None) -> None:
    """Send a test message and print the response; exits with 4 when it was not delivered."""
    sent = call(database, "POST", f"{_PATH}/{target_id}/test")
    delivered = "delivered" if sent["delivered"] else "not delivered"
    out.print(f"{delivered}: {one_line(sent['detail'])}")
    if not sent["delivered"]:
        raise typer.Exit(_UNDELIVERED)


def _check_key(signing_key: str | None) -> None:
    if signing_key is not None and not _LEAST_KEY <= len(signing_key) <= _MOST_KEY:
        length = f"{_LEAST_KEY} to {_MOST_KEY} characters"
        raise InvalidInputError(
            f"signing-key: must have {length}; leave it out to get a new one", field="signing-key"
        )
