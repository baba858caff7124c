"""The list of commands: the help is made from it, and only a called command is imported."""

from __future__ import annotations

import importlib
import os
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

from penstock.cli.loading import loading
from penstock.cli.shown.help import Command, Commands, Group
from penstock.cli.shown.text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


class Listed(NamedTuple):
    """A command or group: its name, its module in `penstock.cli.commands`, its own first line."""

    name: str
    module: str
    line: str


# tests/house/test_commands.py compares the lines with the commands' docstrings.
PANELS: Mapping[str, Sequence[Listed]] = {
    "Try it out": (
        Listed("demo", "service.demo", "Collect from the simulator, then serve what was found."),
        Listed("simulate", "service.simulate", "Act as Binance and CardTrader, until Ctrl-C."),
    ),
    "Candles": (
        Listed("collect", "market.collect", "Collect the candles that are missing, up to now."),
        Listed("candles", "market.candles", "Show stored candles of a series, the newest last."),
        Listed("series", "market.coverage", "List the series, their range and completeness."),
        Listed("coverage", "market.coverage", "Show the stored and missing ranges of a series."),
        Listed("gaps", "market.coverage", "List what is missing, with the reason."),
        Listed("verify", "market.verify", "Prove that the stored candles are complete and right."),
    ),
    "A seller's inventory": (
        Listed("sync", "inventory.sync", "Bring a seller's inventory in step with CardTrader."),
        Listed("diff", "inventory.decide", "Show what a held sync or a dry run would change."),
        Listed("approve", "inventory.decide", "Publish exactly what `penstock diff` shows."),
        Listed("reject", "inventory.decide", "Drop what `penstock diff` shows; publish nothing."),
        Listed("products", "inventory.products", "Show published products by name."),
        Listed("history", "inventory.products", "Show how syncs changed a product."),
        Listed("unmapped", "inventory.catalog", "List blueprints that your card list lacks."),
        Listed("accounts", "inventory.accounts", "List, add, edit and remove CardTrader sellers."),
        Listed("catalog", "inventory.catalog", "Upload your own list of cards."),
    ),
    "Schedules": (
        Listed("config", "config", "Choose what is collected automatically, and when."),
        Listed("apply", "apply", "Make the configs match a file."),
        Listed("schedules", "schedules", "List everything that runs automatically."),
    ),
    "Service": (
        Listed("serve", "service.serve", "Serve the API and collect, until Ctrl-C."),
        Listed("worker", "service.worker", "Work on queued runs beside a service, until Ctrl-C."),
        Listed("watch", "watch", "Follow one task or all of them."),
        Listed("tasks", "watch", "List the active tasks and those that ended recently."),
        Listed("cancel", "watch", "Cancel a task and keep the pages it has written."),
        Listed("alerts", "alerts", "List the alerts that fire, and those of the last week."),
        Listed("alert", "alerts", "Choose where alerts are sent."),
        Listed("token", "token", "Create, list and revoke access tokens."),
    ),
    "Upkeep": (
        Listed("doctor", "service.doctor", "Check the database, the secrets and the providers."),
        Listed("pauses", "pauses", "List the providers that asked for a pause, or lift one."),
        Listed("migrate", "service.migrate", "Bring the database to the present schema."),
        Listed("rotate-key", "service.rotate_key", "Seal the stored secrets with a new key."),
    ),
}


class Root(Group):
    """All commands, by name."""

    def __init__(self, **attributes: Any) -> None:
        found = [Unloaded(listed, panel) for panel, group in PANELS.items() for listed in group]
        super().__init__(**attributes | {"commands": found})


class Unloaded(Command):
    """Stands in for a listed command until it is called."""

    def __init__(self, listed: Listed, panel: str) -> None:
        super().__init__(listed.name, help=listed.line, rich_help_panel=panel)
        self.listed = listed

    def make_context(self, *arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - typer's
        """The context of the loaded command, in which typer continues."""
        with loading():
            command = loaded(self.listed)
            _silence_log()
            _warn_of_variables()
        return command.make_context(*arguments, **named)


def loaded(listed: Listed) -> TyperCommand | TyperGroup:
    """The command itself."""
    found: Callable[..., None] | typer.Typer = getattr(
        importlib.import_module(f"penstock.cli.commands.{listed.module}"),
        listed.name.replace("-", "_"),
    )
    if isinstance(found, typer.Typer):
        return typer.main.get_group(found)
    alone = Commands()
    alone.command(listed.name)(found)
    command = typer.main.get_command(alone)
    if not isinstance(command, TyperCommand):
        raise TypeError
    return command


def _warn_of_variables() -> None:
    names = [name for name in os.environ if name.upper().startswith("PENSTOCK_")]
    if names:
        from penstock.domains.variables import strange_variables  # noqa: PLC0415 - see loading()

        for warning in strange_variables(names):
            sys.stderr.write(f"penstock: warning: {one_line(warning)}\n")


def _silence_log() -> None:
    """Keep log lines out of a command's output; commands with a log set it up themselves.

    Nothing logs where structlog is not loaded.
    """
    if "structlog" in sys.modules:
        from penstock.logs import log_to_stderr  # noqa: PLC0415 - see above

        log_to_stderr("critical")
