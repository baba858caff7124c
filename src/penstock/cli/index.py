"""Which commands there are. Their help is listed from here, and only the module of the one that is called is imported."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

from penstock.cli.loading import loading

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


class Listed(NamedTuple):
    """A command or a group of commands: its name, the module of `penstock.cli.commands` that has it, and what it does, in its own words."""

    name: str
    module: str
    line: str


# tests/house/test_commands.py compares the lines with what the commands say of themselves.
PANELS: Mapping[str, Sequence[Listed]] = {
    "Try it out": (
        Listed(
            "demo",
            "service.demo",
            "Collect candles and a seller's inventory from the simulator, then serve them.",
        ),
        Listed(
            "simulate",
            "service.simulate",
            "Answer as Binance and CardTrader do, until Ctrl-C: generated or recorded data, with faults on demand.",
        ),
    ),
    "Candles": (
        Listed("collect", "market.collect", "Collect candles: what is not stored yet, up to now."),
        Listed("candles", "market.candles", "Show stored candles of a series, the newest last."),
        Listed(
            "series",
            "market.coverage",
            "List what is collected: from when to when, and how complete.",
        ),
        Listed(
            "coverage",
            "market.coverage",
            "Show the ranges of a series: what is stored, why the rest is not, and how often that was asked for.",
        ),
        Listed("gaps", "market.coverage", "List what is missing, with the reason."),
        Listed(
            "verify",
            "market.verify",
            "Prove that what is stored is whole; ends with 9 when it is not.",
        ),
        Listed(
            "apply",
            "apply",
            "Make the configs be as a file says, all of them or none; a second time it changes nothing.",
        ),
        Listed(
            "schedules",
            "schedules",
            "List what runs by itself, also what Penstock makes by itself, and when it runs next.",
        ),
        Listed(
            "config",
            "config",
            "What is collected by itself, and when: add, list, edit, enable, disable, remove, trigger.",
        ),
    ),
    "A seller's inventory": (
        Listed("sync", "inventory.sync", "Bring a seller's inventory in step with CardTrader."),
        Listed("diff", "inventory.decide", "Show what a held sync, or a dry run, would change."),
        Listed("approve", "inventory.decide", "Publish exactly what `penstock diff` shows."),
        Listed(
            "reject", "inventory.decide", "Drop what `penstock diff` shows; nothing is published."
        ),
        Listed("products", "inventory.products", "Show published products by name."),
        Listed("history", "inventory.products", "Show what syncs have changed of a product."),
        Listed(
            "unmapped", "inventory.catalog", "Show blueprints that are not in your list of cards."
        ),
        Listed("accounts", "inventory.accounts", "CardTrader sellers: list, add, edit, remove."),
        Listed("catalog", "inventory.catalog", "Your own list of cards: upload."),
    ),
    "Service": (
        Listed(
            "serve",
            "service.serve",
            "Serve the API, collect on schedule and on demand, until Ctrl-C.",
        ),
        Listed(
            "worker",
            "service.worker",
            "Work on queued runs until Ctrl-C; any number of workers share one PostgreSQL.",
        ),
        Listed(
            "watch",
            "watch",
            "Follow a task, or all of them, while they run; ends with 3 when the task failed or was cancelled.",
        ),
        Listed("tasks", "watch", "List the tasks that are active, or ended a short while ago."),
        Listed("cancel", "watch", "Cancel a task; whole pages that it has written stay."),
        Listed("alerts", "alerts", "List what fires, and what was resolved in the last week."),
        Listed("alert", "alerts", "Say where alerts are sent."),
        Listed("token", "token", "Make, list and revoke the tokens that let others in."),
    ),
    "Upkeep": (
        Listed(
            "doctor",
            "service.doctor",
            "Check the database, its secrets and the exchange; ends with 1 when one of them cannot be used.",
        ),
        Listed(
            "migrate",
            "service.migrate",
            "Bring the database to the present schema; every writing command does it by itself.",
        ),
        Listed(
            "rotate-key",
            "service.rotate_key",
            "Seal the stored secrets with a new key: of the key file, or the first one of PENSTOCK_SECRET_KEY; it can be run again at any time.",
        ),
    ),
}


class Commands(TyperGroup):
    """All of them, by name."""

    def __init__(self, **attributes: Any) -> None:
        found = [
            Command(listed, panel) for panel, all_listed in PANELS.items() for listed in all_listed
        ]
        super().__init__(**attributes | {"commands": found})


class Command(TyperCommand):
    """One that is listed, and stands in for the real one until it is called."""

    def __init__(self, listed: Listed, panel: str) -> None:
        super().__init__(listed.name, help=listed.line, rich_help_panel=panel)
        self.listed = listed

    def make_context(self, *arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - typer has no public name for it
        """The context of the real one, in which typer goes on."""
        with loading():
            command = loaded(self.listed)
            _answer_without_log()
        return command.make_context(*arguments, **named)


def loaded(listed: Listed) -> TyperCommand | TyperGroup:
    """The real one."""
    found: Callable[..., None] | typer.Typer = getattr(
        importlib.import_module(f"penstock.cli.commands.{listed.module}"),
        listed.name.replace("-", "_"),
    )
    if isinstance(found, typer.Typer):
        return typer.main.get_group(found)
    alone = typer.Typer(add_completion=False)
    alone.command(listed.name)(found)
    command = typer.main.get_command(alone)
    if not isinstance(command, TyperCommand):
        raise TypeError
    return command


def _answer_without_log() -> None:
    """What a command says is its answer; those that keep a log set it up by their settings. Who has not loaded structlog has nothing that logs."""
    if "structlog" in sys.modules:
        from penstock.logs import log_to_stderr  # noqa: PLC0415 - see above

        log_to_stderr("critical")
