"""Documents name all settings, metrics, routes and words of the program, and no others."""

from __future__ import annotations

import importlib
import pkgutil
import re
from typing import TYPE_CHECKING, get_args

import pytest
from fastapi import APIRouter

import penstock.api
from penstock.access.scopes import Scope
from penstock.alerts.rules import AlertLimits
from penstock.api.live.feeds.channels import Subscribable
from penstock.cli.index import PANELS
from penstock.domains.automatic import automatic_of
from penstock.inventory.pace import Phase
from penstock.inventory.snapshot import SnapshotState
from penstock.inventory.sync.health import RULES
from penstock.market.runs.health import rules as market_rules
from penstock.market.verify.finding import FindingKind
from penstock.settings import Settings, load_settings
from penstock.simulator.faults.parse import PARAMETERS
from penstock.store.write.alerts.health import HealthQueries
from tests.house.sources import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator


def _read(document: str) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


def test_the_settings_page_has_every_setting_with_its_description_and_default() -> None:
    rows = re.findall(
        r"^\| `PENSTOCK_(\w+)` \| (.*?) \| (.*?) \|$", _read("docs/settings.md"), flags=re.MULTILINE
    )
    documented = {name.lower(): (default, text.replace("`", "")) for name, default, text in rows}
    assert set(documented) == set(Settings.model_fields)
    for name, field in Settings.model_fields.items():
        default, text = documented[name]
        assert text == field.description
        if isinstance(field.default, int | float):
            assert float(default) == field.default


def test_the_readme_names_every_command_and_no_other() -> None:
    commands = {listed.name for all_listed in PANELS.values() for listed in all_listed}
    assert (
        set(re.findall(r"^\| `penstock ([\w-]+)", _read("README.md"), flags=re.MULTILINE))
        == commands
    )


def _column(document: str, heading: str) -> set[str]:
    """The words in backticks of the first column of a document's tables with this heading."""
    tables = re.findall(
        rf"^\| {heading} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", _read(document), flags=re.MULTILINE
    )
    cells = [row.split("|")[1] for table in tables for row in table.splitlines()]
    return {word for cell in cells for word in re.findall(r"`(.+?)`", cell)}


def _rules() -> set[str]:
    subjects = [*market_rules(automatic_of(load_settings()), "x"), *RULES]
    return set(HealthQueries(AlertLimits(), [], subjects).rules.names)


@pytest.mark.parametrize(
    ("document", "heading", "there"),
    [
        ("docs/access.md", "scope", set(Scope)),
        ("docs/alerts.md", "rule", _rules()),
        ("docs/data.md", "finding", set(FindingKind)),
        ("docs/simulator.md", "fault", set(PARAMETERS)),
        (
            "docs/websocket.md",
            "channel",
            {channel.__struct_config__.tag for channel in get_args(Subscribable)},
        ),
    ],
    ids=["scopes", "alert rules", "findings", "faults", "channels"],
)
def test_a_table_names_every_value_and_no_other(
    document: str, heading: str, there: set[str]
) -> None:
    assert _column(document, heading) == there


@pytest.mark.parametrize(("field", "there"), [("phase", set(Phase)), ("state", set(SnapshotState))])
def test_the_fields_of_a_sync_have_the_documented_values(field: str, there: set[str]) -> None:
    [text] = re.findall(rf"^\| `{field}` \|(.*)\|$", _read("docs/inventory.md"), flags=re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", text)) == there


def _routes() -> set[str]:
    """The paths of the API."""
    found = {"/openapi.json", "/docs"}
    for module in pkgutil.walk_packages(penstock.api.__path__, "penstock.api."):
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, APIRouter):
                found |= {route.path for route in value.routes}  # type: ignore[attr-defined]
    return found


def _called_in_the_readme(routes: set[str]) -> Iterator[str]:
    """The paths in the table of the README.

    A path that begins with … continues the one before it; … at the end stands for all below.
    """
    before = ""
    for cell in re.findall(
        r"^\| (`[^|]*/[^|]*?) \|",
        _read("README.md").partition("## The API")[2].partition("\n## ")[0],
        flags=re.MULTILINE,
    ):
        for path in re.findall(r"`(?:[A-Z]+ )?([/…][^`?]*)[^`]*`", cell):
            parts = before.split("/")
            starts = ["", *("/".join(parts[:count]) for count in range(len(parts), 1, -1))]
            whole = [start + path.removeprefix("…") for start in starts]
            before = next(
                (
                    candidate
                    for candidate in whole
                    if any(_covers(candidate, route) for route in routes)
                ),
                path,
            )
            yield before


def _covers(path: str, route: str) -> bool:
    return f"{route}/".startswith(path[:-1]) if path.endswith("/…") else route == path


def test_the_readme_names_every_route_and_no_other() -> None:
    routes = _routes()
    called = list(_called_in_the_readme(routes))
    assert [path for path in called if not any(_covers(path, route) for route in routes)] == []
    assert {route for route in routes if not any(_covers(path, route) for path in called)} == set()
