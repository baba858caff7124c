"""`penstock alerts` and `penstock alert targets`: what fires, and where it is sent."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Annotated

import typer

from penstock.api.schemas.alert import AlertShown, TargetShown
from penstock.cli.fresh import refuse_address, when_fresh
from penstock.cli.options import Database, JsonArray
from penstock.cli.reached import call, reach
from penstock.cli.reading import read
from penstock.cli.shown.help import Commands
from penstock.cli.shown.terminal import err, out, print_json, print_rows, show_time
from penstock.cli.shown.text import one_line
from penstock.errors import InvalidInputError, NotFoundError
from penstock.name import checked_name
from penstock.store.write.alerts.lists import AlertList, list_alerts, list_targets

if TYPE_CHECKING:
    from penstock.cli.client import ApiClient
    from penstock.cli.shown.text import Fields

_UNDELIVERED = 4
_MOST = 1_000
_LEAST_KEY, _MOST_KEY = 16, 200
_PATH = "/api/v1/admin/alerts/targets"

Target = Annotated[
    str,
    typer.Argument(metavar="NAME", help="The name or id that `penstock alert targets list` shows."),
]

alert = Commands("Choose where alerts are sent.")
targets = Commands("""Add, list, remove and test the targets of alerts.

Examples:
  penstock alert targets add ops https://example.com/hook
  penstock alert targets add phone ntfy://topic
  penstock alert targets test phone""")
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
    err.print(f"Test it with: penstock alert targets test {shlex.quote(name)}")
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
def remove(name: Target, database: Database = None) -> None:
    """Remove a target, with everything that waits to be sent to it."""

    async def removed(client: ApiClient) -> Fields:
        target = await _named(client, name)
        await client.call("DELETE", f"{_PATH}/{target['id']}")
        return target

    target = reach(database, removed)
    out.print(f"target {target['id']} is removed: {one_line(target['name'])}")


@targets.command("test")
def try_out(name: Target, database: Database = None) -> None:
    """Send a test message and print the response; exits with 4 when it was not delivered."""

    async def tried(client: ApiClient) -> Fields:
        target = await _named(client, name)
        answer: Fields = await client.call("POST", f"{_PATH}/{target['id']}/test")
        return answer

    sent = reach(database, tried)
    delivered = "delivered" if sent["delivered"] else "not delivered"
    out.print(f"{delivered}: {one_line(sent['detail'])}")
    if not sent["delivered"]:
        raise typer.Exit(_UNDELIVERED)


async def _named(client: ApiClient, given: str) -> Fields:
    """The target with a name or an id; InvalidInputError if two have it."""
    targets: list[Fields] = await client.call("GET", _PATH)
    found = [target for target in targets if given in {str(target["id"]), target["name"]}]
    if len(found) > 1:
        by_id, by_name = sorted(found, key=lambda target: str(target["id"]) != given)
        raise InvalidInputError(
            f"name: {given!r} is the id of {by_id['name']!r} and the name of target"
            f" {by_name['id']}; use {by_id['name']!r} or {by_name['id']}",
            field="name",
        )
    if not found:
        raise NotFoundError(
            f"there is no alert target {given[:50]!r}; `penstock alert targets list` shows all"
        )
    return found[0]


def _check_key(signing_key: str | None) -> None:
    if signing_key is not None and not _LEAST_KEY <= len(signing_key) <= _MOST_KEY:
        length = f"{_LEAST_KEY} to {_MOST_KEY} characters"
        raise InvalidInputError(
            f"signing-key: must have {length}; leave it out to get a new one", field="signing-key"
        )
