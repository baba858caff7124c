"""`penstock token`: make, list and revoke the tokens that let others in."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from penstock.access.scopes import Scope
from penstock.api.schemas.token import token_fields
from penstock.cli.options import Database
from penstock.cli.reached import Reached, reached
from penstock.cli.shown.terminal import err, fitting_table, out, print_table, shown_time
from penstock.cli.shown.text import one_line
from penstock.cli.signals import run
from penstock.errors import InvalidInputError
from penstock.name import checked_name
from penstock.opening import open_reader
from penstock.settings import load_settings
from penstock.store.write.tokens import SqlTokens

if TYPE_CHECKING:
    from penstock.settings import Settings

_UNIT_S = {"m": 60, "h": 3_600, "d": 86_400}
_MOST_DAYS = 3_653
_LARGEST_ID = 2**31 - 1
_PATH = "/api/v1/admin/tokens"

token = typer.Typer(
    help="Make, list and revoke the tokens that let others in.", no_args_is_help=True
)


@token.command()
def create(
    name: Annotated[str, typer.Option(metavar="NAME", help="Who or what uses it.")],
    scope: Annotated[
        Scope, typer.Option(help="What it is good for; each scope holds those before it.")
    ],
    expires: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="How long it works, such as 90d or 12h.",
            show_default="until revoked",
        ),
    ] = None,
    database: Database = None,
) -> None:
    """Make a token and print it: it is not stored, so it cannot be shown again."""
    name = checked_name(name)
    expires_in_s = _seconds(expires)
    side = reached(load_settings(database_url=database))
    typer.echo(run(_create(side, name, scope, expires_in_s)))
    err.print(
        f"This is the token {name!r} with the scope {scope.value}; nobody can show it again. Every request to the service needs a token now."
    )


@token.command("list")
def list_(
    database: Database = None,
    as_json: Annotated[
        bool, typer.Option("--json", metavar="", help="Print one JSON array.")
    ] = False,
) -> None:
    """List the tokens, the newest first, also those that do not work any more."""
    found = run(_listed(load_settings(database_url=database)))
    if as_json:
        typer.echo(json.dumps(found))
        return
    table = fitting_table(
        "id", "name", "scope", "made", "expires", "last used", "revoked", whole=("id", "scope")
    )
    for one in found:
        times = (
            shown_time(one[f"{what}_at"]) for what in ("created", "expires", "last_used", "revoked")
        )
        table.add_row(str(one["id"]), one_line(one["name"]), one["scope"], *times)
    print_table(table, fit=True)


@token.command()
def revoke(
    token_id: Annotated[
        int, typer.Argument(metavar="ID", min=1, max=_LARGEST_ID, help="As in the list.")
    ],
    database: Database = None,
) -> None:
    """Make a token stop working, in all processes within some seconds."""
    run(_revoke(reached(load_settings(database_url=database)), token_id))
    out.print(f"token {token_id} works no longer")


def _seconds(expires: str | None) -> int | None:
    if expires is None:
        return None
    found = re.fullmatch(r"([0-9]{1,9})([mhd])", expires)
    seconds = int(found[1]) * _UNIT_S[found[2]] if found else 0
    if not 0 < seconds <= _MOST_DAYS * _UNIT_S["d"]:
        message = f"expires: {expires[:40]!r} is no time up to {_MOST_DAYS} days; write one like 90d, 12h or 30m"
        raise InvalidInputError(message, field="expires")
    return seconds


async def _create(side: Reached, name: str, scope: Scope, expires_in_s: int | None) -> str:
    wanted = {"name": name, "scope": scope.value, "expires_in_s": expires_in_s}
    async with side as client:
        return str((await client.call("POST", _PATH, wanted))["token"])


async def _listed(settings: Settings) -> list[dict[str, Any]]:
    """Beside a service too: it owns the file, and reading is free."""
    async with open_reader(settings) as reader:
        return [token_fields(one) for one in await SqlTokens(reader).listed()]


async def _revoke(side: Reached, token_id: int) -> None:
    async with side as client:
        await client.call("DELETE", f"{_PATH}/{token_id}")
