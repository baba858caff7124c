"""Documents that describe what the program has: they name all of it, and nothing else."""

from __future__ import annotations

import re

from penstock.cli.main import app
from penstock.settings import Settings
from tests.house.sources import ROOT


def _read(document: str) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


def test_every_setting_stands_in_the_settings_page_with_its_description_and_default() -> None:
    rows = re.findall(r"^\| `PENSTOCK_(\w+)` \| (.*?) \| (.*?) \|$", _read("docs/settings.md"), flags=re.MULTILINE)
    documented = {name.lower(): (default, text.replace("`", "")) for name, default, text in rows}
    assert set(documented) == set(Settings.model_fields)
    for name, field in Settings.model_fields.items():
        default, text = documented[name]
        assert text == field.description
        if isinstance(field.default, int | float):
            assert float(default) == field.default


def test_the_readme_names_every_command_and_no_other() -> None:
    commands = {command.callback.__name__.replace("_", "-") for command in app.registered_commands if command.callback}
    groups = {str(group.name) for group in app.registered_groups}
    assert set(re.findall(r"^\| `penstock ([\w-]+)", _read("README.md"), flags=re.MULTILINE)) == commands | groups
