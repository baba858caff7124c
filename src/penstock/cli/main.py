"""The command line, and how each way of ending becomes an exit code."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from penstock import __version__
from penstock.cli.exit_codes import EXIT_CODES
from penstock.cli.index import Root
from penstock.cli.shown.help import HELP_NAMES
from penstock.cli.shown.text import let_consoles_replace, one_line, refuse_what_is_no_text
from penstock.errors import PenstockError
from penstock.process import share_one_heap

_LONGEST_LINE = 1_000
_BAD_INPUT = 2
_INTERRUPTED = 130

_ABOUT = """Keeps a SQL database in step with remote APIs.

Examples:
  penstock demo
  penstock collect BTC/USDT ETH/USDT -t 1h,1d
  penstock config add BTC/USDT -t 1m --every 5
  penstock serve"""

_EXIT_CODES = [f"  {code:>3}  {meaning}" for code, meaning in EXIT_CODES.items()]

app = typer.Typer(
    name="penstock",
    cls=Root,
    help=_ABOUT,
    epilog="\n".join(["Exit codes:", *_EXIT_CODES]),
    context_settings=HELP_NAMES,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


@app.callback(invoke_without_command=True)
def _penstock(
    context: typer.Context,
    *,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), nl=False)
        raise typer.Exit(_BAD_INPUT)


def main() -> None:
    """Run the command line and end the process."""
    share_one_heap()
    let_consoles_replace()
    try:
        refuse_what_is_no_text(sys.argv[1:])
        code = app(standalone_mode=False)
    except typer.TyperException as error:
        # A group without a command has shown its help and has no message.
        message = _with_hint(error) if error.format_message() else None
        code = _fail(message, error.exit_code) if message else error.exit_code
    except (typer.Abort, KeyboardInterrupt):
        code = _INTERRUPTED
    except PenstockError as error:
        code = _fail(str(error), error.exit_code, *getattr(error, "__notes__", ()))
    sys.exit(code if isinstance(code, int) else 0)


def _fail(message: str, code: int, *more: str) -> int:
    for text in (message, *more):
        line = one_line(text)
        shown = line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}…"
        # Not through typer, which writes UTF-8 to a console that only has ASCII.
        sys.stderr.write(f"penstock: {shown}\n")
    return code


def _with_hint(error: typer.TyperException) -> str:
    """What is wrong with the command line, and which help shows how it goes."""
    context: typer.Context | None = getattr(error, "ctx", None)
    hint = f"; see {context.command_path} --help" if context else ""
    return error.format_message().rstrip(".") + hint
