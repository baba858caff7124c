"""The commands, and how each way of ending becomes an exit code (EXIT_CODES, also at the end of `penstock --help`)."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from penstock import __version__
from penstock.cli.accounts import accounts
from penstock.cli.alert import alert, alerts
from penstock.cli.apply import apply
from penstock.cli.candles import candles
from penstock.cli.catalog import catalog, unmapped
from penstock.cli.collect import collect
from penstock.cli.config import config
from penstock.cli.decide import approve, diff, reject
from penstock.cli.demo import demo
from penstock.cli.doctor import doctor
from penstock.cli.migrate import migrate
from penstock.cli.products import history, products
from penstock.cli.rotate_key import rotate_key
from penstock.cli.serve import serve
from penstock.cli.simulate import simulate
from penstock.cli.sync import HELD, sync
from penstock.cli.terminal import one_line
from penstock.cli.token import token
from penstock.cli.watch import cancel, tasks, watch
from penstock.cli.worker import worker
from penstock.core.logs import log_to_stderr
from penstock.core.process import share_one_heap
from penstock.errors import PenstockError

EXIT_CODES = {
    0: "done",
    1: "an error that nobody expected, or a failed check of `doctor`",
    2: "bad input; nothing was changed",
    3: "the provider refused, or every series failed for good",
    4: "the provider or the database is not available now; try again later",
    5: "another process, another run or a newer Penstock has what this needs",
    6: "done in part: some series failed, the others are stored",
    7: "the service needs a token (PENSTOCK_TOKEN), or another one",
    HELD: "a sync is held for a decision: see `penstock diff`",
    130: "interrupted by Ctrl-C",
    143: "ended by SIGTERM",
}
_BAD_INPUT = 2
_INTERRUPTED = 130

app = typer.Typer(
    name="penstock",
    help="Keeps a SQL database in step with remote APIs.",
    epilog="\n\n".join(["Exit codes:", *(f"{code:>5}  {meaning}" for code, meaning in EXIT_CODES.items())]),
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
_PANELS = {
    "Try it out": (demo, simulate),
    "Candles": (collect, candles, apply),
    "A seller's inventory": (sync, diff, approve, reject, products, history, unmapped),
    "Service": (serve, worker, watch, tasks, cancel, alerts),
    "Upkeep": (doctor, migrate, rotate_key),
}
for panel, commands in _PANELS.items():
    for command in commands:
        app.command(rich_help_panel=panel)(command)
app.add_typer(config, name="config", rich_help_panel="Candles")
app.add_typer(accounts, name="accounts", rich_help_panel="A seller's inventory")
app.add_typer(catalog, name="catalog", rich_help_panel="A seller's inventory")
app.add_typer(alert, name="alert", rich_help_panel="Service")
app.add_typer(token, name="token", rich_help_panel="Service")


@app.callback(invoke_without_command=True)
def _penstock(
    context: typer.Context, *, version: Annotated[bool, typer.Option("--version", metavar="", help="Print the version and leave.")] = False
) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit
    # What a command says is its answer; those that keep a log set it up by their settings.
    log_to_stderr("critical")
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), nl=False)
        raise typer.Exit(_BAD_INPUT)


def main() -> None:
    """Run the command line and leave the process."""
    share_one_heap()
    try:
        code = app(standalone_mode=False)
    except typer.TyperException as error:
        # A group without a command has shown its help, and has no more to say.
        code = _fail(_with_hint(error), error.exit_code) if error.format_message() else error.exit_code
    except (typer.Abort, KeyboardInterrupt):
        code = _INTERRUPTED
    except PenstockError as error:
        code = _fail(str(error), error.exit_code)
    sys.exit(code if isinstance(code, int) else 0)


def _fail(message: str, code: int) -> int:
    typer.echo(f"penstock: {one_line(message)}", err=True)
    return code


def _with_hint(error: typer.TyperException) -> str:
    """What was wrong with the words on the command line, and where the right ones are."""
    context: typer.Context | None = getattr(error, "ctx", None)
    return error.format_message().rstrip(".") + (f"; see {context.command_path} --help" if context else "")
