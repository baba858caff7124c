"""The list of commands for the help matches the commands, and is complete."""

from __future__ import annotations

import importlib
import inspect
import shlex
from types import FunctionType
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin, get_type_hints

import pytest
import typer
from typer.core import TyperGroup
from typer.models import ParameterInfo

from penstock.cli.index import PANELS, loaded
from penstock.cli.main import app
from penstock.simulator.faults.parse import parse_fault
from tests.house.sources import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from penstock.cli.index import Listed

_COMMANDS = ROOT / "src/penstock/cli/commands"
_LISTED = {listed.name: listed for all_listed in PANELS.values() for listed in all_listed}


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"penstock.cli.commands.{name}")


def _first_paragraph(text: str) -> str:
    """The text that typer shows for a command in the list of its group."""
    return inspect.cleandoc(text).split("\n\n", maxsplit=1)[0].strip()


def _has_options(function: FunctionType) -> bool:
    """Whether it is a command: typer annotations describe its parameters."""
    try:
        kinds = get_type_hints(function, include_extras=True).values()
    except NameError:
        # Only the type checker knows the types here.
        return False
    return any(
        isinstance(mark, ParameterInfo)
        for kind in kinds
        if get_origin(kind) is Annotated
        for mark in get_args(kind)
    )


def _declared(module: ModuleType) -> Iterator[str]:
    """The names of a module's top-level commands and groups."""
    groups = {name: found for name, found in vars(module).items() if isinstance(found, typer.Typer)}
    inner = {
        id(subgroup.typer_instance)
        for group in groups.values()
        for subgroup in group.registered_groups
    }
    yield from (name for name, group in groups.items() if id(group) not in inner)
    grouped = {
        command.callback
        for group in groups.values()
        for command in (*group.registered_commands, group.registered_callback)
        if command
    }
    for name, found in vars(module).items():
        if (
            isinstance(found, FunctionType)
            and found.__module__ == module.__name__
            and found not in grouped
            and _has_options(found)
        ):
            yield name


@pytest.mark.parametrize("listed", _LISTED.values(), ids=_LISTED)
def test_a_command_is_listed_with_its_own_description(listed: Listed) -> None:
    command = loaded(listed)
    assert _first_paragraph(command.short_help or command.help or "") == listed.line
    assert not command.hidden
    assert not command.deprecated


def test_all_commands_of_all_modules_are_listed_once_and_no_others() -> None:
    files = (
        path.relative_to(_COMMANDS).with_suffix("")
        for path in _COMMANDS.rglob("*.py")
        if path.name != "__init__.py"
    )
    modules = {".".join(path.parts) for path in files}
    declared = sorted(
        (name.replace("_", "-"), module)
        for module in modules
        for name in _declared(_module(module))
    )
    assert (
        sorted(
            (listed.name, listed.module) for all_listed in PANELS.values() for listed in all_listed
        )
        == declared
    )


def test_help_shows_each_command_in_its_panel() -> None:
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    shown = {
        name: (getattr(command, "rich_help_panel", None), command.help)
        for name, command in group.commands.items()
    }
    assert shown == {
        listed.name: (panel, listed.line)
        for panel, all_listed in PANELS.items()
        for listed in all_listed
    }


def _examples(command: Any) -> Iterator[str]:  # noqa: ANN401 - a command or a group
    """The lines below `Examples:` in the help of a command and of its own commands."""
    _, _, lines = inspect.cleandoc(command.help or "").partition("Examples:\n")
    yield from (line.strip() for line in lines.splitlines())
    if isinstance(command, TyperGroup):
        for inner in command.commands.values():
            yield from _examples(inner)


_EXAMPLES = [
    example
    for command in (typer.main.get_command(app), *map(loaded, _LISTED.values()))
    for example in _examples(command)
]


@pytest.mark.parametrize("example", _EXAMPLES)
def test_each_example_of_the_help_is_a_valid_command_line(example: str) -> None:
    words = [word for word in shlex.split(example) if not word.startswith("PENSTOCK_")]
    assert words.pop(0) == "penstock"
    command: Any = loaded(_LISTED[words.pop(0)])
    while isinstance(command, TyperGroup) and words:
        command = command.commands[words.pop(0)]
    given = command.make_context("penstock", words).params
    for fault in given.get("fault") or ():
        parse_fault(fault)


@pytest.mark.parametrize("name", [name for name in _LISTED if name != "alert"])
def test_each_command_has_an_example(name: str) -> None:
    assert list(_examples(loaded(_LISTED[name])))
