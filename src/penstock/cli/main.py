"""The command line, and how each way of ending becomes an exit code."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from penstock import __version__
from penstock.cli.exit_codes import EXIT_CODES
from penstock.cli.index import Commands
from penstock.cli.shown.text import let_consoles_replace, one_line, refuse_what_is_no_text
from penstock.errors import PenstockError
from penstock.process import share_one_heap

_BAD_INPUT = 2
_INTERRUPTED = 130

app = typer.Typer(
    name="penstock",
    cls=Commands,
    help="Keeps a SQL database in step with remote APIs.",
    epilog="\n\n".join(
        ["Exit codes:", *(f"{code:>5}  {meaning}" for code, meaning in EXIT_CODES.items())]
    ),
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


@app.callback(invoke_without_command=True)
def _penstock(
    context: typer.Context,
    *,
    version: Annotated[
        bool, typer.Option("--version", metavar="", help="Print the version and leave.")
    ] = False,
) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), nl=False)
        raise typer.Exit(_BAD_INPUT)


def main() -> None:
    """Run the command line and leave the process."""
    share_one_heap()
    let_consoles_replace()
    try:
        refuse_what_is_no_text(sys.argv[1:])
        code = app(standalone_mode=False)
    except typer.TyperException as error:
        # A group without a command has shown its help, and has no more to say.
        code = (
            _fail(_with_hint(error), error.exit_code) if error.format_message() else error.exit_code
        )
    except (typer.Abort, KeyboardInterrupt):
        code = _INTERRUPTED
    except PenstockError as error:
        code = _fail(str(error), error.exit_code)
    sys.exit(code if isinstance(code, int) else 0)


def _fail(message: str, code: int) -> int:
    # Not by typer, which writes UTF-8 to a console that says it has only ASCII.
    sys.stderr.write(f"penstock: {one_line(message)}\n")
    return code


def _with_hint(error: typer.TyperException) -> str:
    """What was wrong with the words on the command line, and where the right ones are."""
    context: typer.Context | None = getattr(error, "ctx", None)
    return error.format_message().rstrip(".") + (
        f"; see {context.command_path} --help" if context else ""
    )
