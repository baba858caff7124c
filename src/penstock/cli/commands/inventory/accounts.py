"""`penstock accounts`: the CardTrader sellers whose inventories are synced."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from penstock.cli.options import AnyJson, Database, Yes
from penstock.cli.reached import call
from penstock.cli.shown.help import Commands
from penstock.cli.shown.terminal import (
    confirmed,
    err,
    out,
    print_json,
    print_rows,
    shown_time,
)
from penstock.cli.shown.text import one_line
from penstock.cli.stored import stored
from penstock.errors import InvalidInputError
from penstock.name import counted
from penstock.settings import load_settings

if TYPE_CHECKING:
    from penstock.cli.shown.text import Fields
    from penstock.settings import Settings

ACCOUNTS = "/api/v1/inventory/accounts"
_MOST_TOKEN_BYTES = 10_000

accounts = Commands()

AccountName = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="The account's name or id, as `penstock accounts` shows them."
    ),
]
TokenFile = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="A file with the API token; - is the standard input.",
    ),
]


@accounts.callback(invoke_without_command=True)
def _accounts(context: typer.Context, database: Database = None, as_json: AnyJson = False) -> None:
    """List, add, edit and remove CardTrader sellers.

    Without a command, the accounts are listed.

    Examples:
      penstock accounts
      penstock accounts add my-shop
      penstock accounts remove my-shop
    """
    if context.invoked_subcommand is None:
        list_(database, as_json)
    elif database is not None or as_json:
        command = context.invoked_subcommand
        raise InvalidInputError(
            f"accounts: put the options after {command}, as in: penstock accounts {command} …",
            field="accounts",
        )


@accounts.command("list")
def list_(database: Database = None, as_json: AnyJson = False) -> None:
    """List the accounts, with the newest sync of each."""
    found = stored(database, lambda inventories: inventories.accounts())
    if as_json:
        print_json(found)
        return
    names = ("id", "name", "seller", "products", "last sync (UTC)", "state")
    rows = (
        (
            account["id"],
            account["name"],
            account["user_id"],
            f"{account['products']:,}",
            *_last(account["newest_sync"]),
        )
        for account in found
    )
    print_rows(names, rows, whole=("id", "seller", "products", "state"), right=("products",))
    if not found:
        err.print("no accounts yet; add one with: penstock accounts add NAME")


@accounts.command()
def add(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="A name of your choice, up to 50 characters.")
    ],
    token_file: TokenFile = None,
    database: Database = None,
    as_json: AnyJson = False,
) -> None:
    """Add a seller's account.

    The token is read from a prompt, a file or PENSTOCK_CARDTRADER_TOKEN, checked, and stored
    encrypted.
    """
    settings = load_settings(database_url=database)
    fields = {"name": name, "token": _token(settings, token_file)}
    made = call(database, "POST", ACCOUNTS, fields, patient=True) | {"newest_sync": None}
    _show(made, f"sync it with: penstock sync {shlex.quote(made['name'])}", as_json=as_json)


@accounts.command()
def edit(
    account: AccountName,
    name: Annotated[str | None, typer.Option("--name", metavar="NEW", help="A new name.")] = None,
    token_file: TokenFile = None,
    database: Database = None,
    as_json: AnyJson = False,
) -> None:
    """Change an account's name, or its token for another one of the same seller."""
    if name is None and token_file is None:
        raise InvalidInputError(
            "edit: no change was given; use --name or --token-file", field="edit"
        )
    changes = {} if name is None else {"name": name}
    if token_file is not None:
        changes["token"] = _token_in(token_file)
    found = stored(database, lambda inventories: inventories.account(account))
    changed = call(database, "PUT", f"{ACCOUNTS}/{found['id']}", changes, patient=True)
    _show(changed | {"newest_sync": found["newest_sync"]}, "changed", as_json=as_json)


@accounts.command()
def remove(
    account: AccountName,
    yes: Yes = False,
    database: Database = None,
) -> None:
    """Delete an account with its products and their history. Nothing changes at CardTrader."""
    found = stored(database, lambda inventories: inventories.account(account))
    products = counted(found["products"], "product")
    what = f"account {found['id']}, {one_line(found['name'])}, with {products} and their history"
    if not (yes or confirmed(f"Delete {what}?")):
        err.print("nothing was deleted")
        return
    call(database, "DELETE", f"{ACCOUNTS}/{found['id']}", patient=True)
    out.print(f"deleted: {what}")


def _token(settings: Settings, file: str | None) -> str:
    """Never an argument, which other users of the machine can see."""
    if file is not None:
        return _token_in(file)
    if settings.cardtrader_token is not None:
        return settings.cardtrader_token.get_secret_value()
    if sys.stdin.isatty():
        return _asked()
    raise InvalidInputError(
        "token: no token; set PENSTOCK_CARDTRADER_TOKEN or use --token-file FILE", field="token"
    )


def _token_in(file: str) -> str:
    if file == "-":
        return (
            _asked()
            if sys.stdin.isatty()
            else _one_word(sys.stdin.buffer.read(_MOST_TOKEN_BYTES + 1), "the standard input")
        )
    try:
        with Path(file).open("rb") as opened:
            return _one_word(opened.read(_MOST_TOKEN_BYTES + 1), file)
    except OSError as error:
        raise InvalidInputError(
            f"token-file: {file} cannot be read ({error.strerror})", field="token-file"
        ) from None


def _asked() -> str:
    answer: str = typer.prompt("CardTrader API token (not shown)", hide_input=True, err=True)
    return answer.strip()


def _one_word(read: bytes, where: str) -> str:
    words = read.decode(errors="replace").split()
    if len(words) != 1 or len(read) > _MOST_TOKEN_BYTES:
        raise InvalidInputError(
            f"token-file: {where} must hold the token and nothing else", field="token-file"
        )
    return words[0]


def _show(account: Fields, what: str, *, as_json: bool) -> None:
    if as_json:
        print_json(account)
    else:
        name = one_line(account["name"])
        out.print(f"account {account['id']}: {name}, seller {account['user_id']}, {what}")


def _last(sync: Fields | None) -> tuple[str, str]:
    """The time and the state of the newest sync."""
    if sync is None:
        return "", "never synced"
    ended = sync["status"] == "completed" and sync["state"] is not None
    state: str = sync["state"] if ended else sync["status"]
    return shown_time(sync["finished_at"] or sync["started_at"]), state.replace("_", " ")
