"""The commands, and how each way of ending becomes an exit code.

| code | meaning |
|---|---|
| 0 | done |
| 1 | an error that nobody expected, or a failed check of `doctor` |
| 2 | bad input; nothing was changed |
| 3 | the provider refused, or every series failed for good |
| 4 | the provider or the database is not available now; trying again later may help |
| 5 | another process or another run holds what this one needs |
| 6 | done in part: some series failed, the others are stored |
| 130 | interrupted |
"""

from __future__ import annotations

import sys

import typer
from click.exceptions import Abort, ClickException

from penstock import __version__
from penstock.cli.candles import candles
from penstock.cli.collect import collect
from penstock.cli.demo import demo
from penstock.cli.doctor import doctor
from penstock.cli.migrate import migrate
from penstock.cli.serve import serve
from penstock.cli.simulate import simulate
from penstock.errors import PenstockError

_INTERRUPTED = 130

app = typer.Typer(
    name="penstock",
    help="Keeps a SQL database in step with remote APIs.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
for command in (demo, collect, candles, serve, simulate, migrate, doctor):
    app.command()(command)


@app.callback(invoke_without_command=True)
def _version(*, version: bool = typer.Option(default=False, help="Print the version and leave.")) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit


def main() -> None:
    """Run the command line and leave the process."""
    try:
        code = app(standalone_mode=False)
    except ClickException as error:
        error.show()
        code = error.exit_code
    except (Abort, KeyboardInterrupt):
        code = _INTERRUPTED
    except PenstockError as error:
        typer.echo(f"penstock: {error}", err=True)
        code = error.exit_code
    sys.exit(code if isinstance(code, int) else 0)
