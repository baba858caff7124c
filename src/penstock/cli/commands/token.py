"""`penstock token`: create, list and revoke access tokens."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import typer

from penstock.access.scopes import Scope
from penstock.api.schemas.token import TokenShown
from penstock.cli.options import Database, JsonArray, id_argument
from penstock.cli.reached import call
from penstock.cli.shown.help import Commands
from penstock.cli.shown.terminal import err, out, print_json, print_rows, shown_time
from penstock.cli.signals import run
from penstock.errors import InvalidInputError
from penstock.name import checked_name
from penstock.opening import open_reader
from penstock.settings import load_settings
from penstock.store.write.tokens import SqlTokens

if TYPE_CHECKING:
    from penstock.cli.shown.text import Fields
    from penstock.settings import Settings

_UNIT_S = {"m": 60, "h": 3_600, "d": 86_400}
_MOST_DAYS = 3_653
_PATH = "/api/v1/admin/tokens"

token = Commands("""Create, list and revoke access tokens.

Examples:
  penstock token create --name bot --scope read --expires 90d
  penstock token list
  penstock token revoke 3""")


@token.command()
def create(
    name: Annotated[str, typer.Option(metavar="NAME", help="The person or program that uses it.")],
    scope: Annotated[
        Scope, typer.Option(help="What it allows; each scope includes the ones before it.")
    ],
    expires: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="How long it is valid, such as 90d or 12h.",
            show_default="until revoked",
        ),
    ] = None,
    database: Database = None,
) -> None:
    """Create a token and print it. It is shown only once."""
    name = checked_name(name)
    fields = {"name": name, "scope": scope.value, "expires_in_s": _seconds(expires)}
    typer.echo(call(database, "POST", _PATH, fields)["token"])
    err.print(f"Token {name!r} with scope {scope.value}, shown only once.")
    err.print("From now on every request to the service needs a token.")


@token.command("list")
def list_(
    database: Database = None,
    as_json: JsonArray = False,
) -> None:
    """List the tokens, the newest first, with the expired and revoked ones."""
    found = run(_listed(load_settings(database_url=database)))
    if as_json:
        print_json(found)
        return
    rows = (
        (
            item["id"],
            item["name"],
            item["scope"],
            shown_time(item["created_at"]),
            shown_time(item["expires_at"]),
            shown_time(item["last_used_at"]),
            shown_time(item["revoked_at"]),
        )
        for item in found
    )
    names = ("id", "name", "scope", "created", "expires", "last used", "revoked")
    print_rows(names, rows, whole=("id", "scope"))


@token.command()
def revoke(
    token_id: Annotated[int, id_argument("As in `penstock token list`.")],
    database: Database = None,
) -> None:
    """Revoke a token; every process refuses it within seconds."""
    call(database, "DELETE", f"{_PATH}/{token_id}")
    out.print(f"token {token_id} is revoked")


def _seconds(expires: str | None) -> int | None:
    if expires is None:
        return None
    found = re.fullmatch(r"([0-9]{1,9})([mhd])", expires)
    seconds = int(found[1]) * _UNIT_S[found[2]] if found else 0
    if not 0 < seconds <= _MOST_DAYS * _UNIT_S["d"]:
        raise InvalidInputError(
            f"expires: {expires[:40]!r} is not a valid duration of up to {_MOST_DAYS} days; "
            "write one like 90d, 12h or 30m",
            field="expires",
        )
    return seconds


async def _listed(settings: Settings) -> list[Fields]:
    """Reads directly, also while a service owns the file."""
    async with open_reader(settings) as reader:
        return [TokenShown.of(item).values() for item in await SqlTokens(reader).listed()]
