"""`penstock pauses`: providers that asked for a pause, and how to end one."""

from __future__ import annotations

from typing import Annotated

import typer

from penstock.alerts.rules import duration
from penstock.api.schemas.pause import PauseShown
from penstock.cli.options import AnyJson, Database, Yes
from penstock.cli.reached import call
from penstock.cli.reading import read
from penstock.cli.shown.help import Commands
from penstock.cli.shown.terminal import (
    confirmed,
    err,
    print_json,
    print_rows,
    print_sentence,
    show_time,
)
from penstock.errors import InvalidInputError
from penstock.name import counted
from penstock.store.write.pauses import pauses as listed

_PAUSES = "/api/v1/pauses"
_WARNING = (
    "A pause is what the provider asked for. Requests before its end can lead to a longer ban, of"
    " everybody at this address. Lift it only if you know that it is wrong."
)

pauses = Commands()


@pauses.callback(invoke_without_command=True)
def _pauses(context: typer.Context, database: Database = None, as_json: AnyJson = False) -> None:
    """List the providers that asked for a pause, or lift one.

    Without a command, the pauses are listed.

    Examples:
      penstock pauses
      penstock pauses lift binance
    """
    if context.invoked_subcommand is None:
        list_(database, as_json)
    elif database is not None or as_json:
        command = context.invoked_subcommand
        raise InvalidInputError(
            f"pauses: put the options after {command}, as in: penstock pauses {command} …",
            field="pauses",
        )


@pauses.command("list")
def list_(database: Database = None, as_json: AnyJson = False) -> None:
    """List the providers to which no request goes now."""
    found = read(database, listed)
    if as_json:
        print_json([PauseShown.of(pause).values() for pause in found])
        return
    if not found:
        err.print("no provider is paused")
        return
    rows = ((one.provider, show_time(one.until), duration(one.seconds_left)) for one in found)
    print_rows(("provider", "until (UTC)", "left"), rows, whole=("until (UTC)", "left"))


@pauses.command()
def lift(
    provider: Annotated[
        str,
        typer.Argument(metavar="PROVIDER", help="As listed, or a part that only one has."),
    ],
    yes: Yes = False,
    database: Database = None,
    as_json: AnyJson = False,
) -> None:
    """End a pause in all processes, before the provider's time is over.

    Asks first, because the provider may answer with a longer ban.

    Examples:
      penstock pauses lift binance
      penstock pauses lift cardtrader --yes
    """
    if not yes:
        print_sentence(_WARNING, err)
        if not confirmed(f"Send requests to {provider} again?"):
            err.print("the pause stays")
            return
    lifted = call(database, "POST", f"{_PAUSES}/lift", {"provider": provider})
    if as_json:
        print_json(lifted)
        return
    print_sentence(
        f"requests go to {lifted['provider']} again;"
        f" {counted(lifted['tasks'], 'task')} that waited for it can start now"
    )
