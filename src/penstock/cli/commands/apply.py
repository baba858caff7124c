"""`penstock apply`: the configs of a file, all of them or none."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
import yaml

from penstock.api.schemas.config import ApplyConfigs, ConfigFile
from penstock.cli.commands.config import ADMIN, checked, what
from penstock.cli.options import Database, JsonObject
from penstock.cli.reached import call
from penstock.cli.reading import read_file
from penstock.cli.shown.terminal import out, print_json
from penstock.errors import InvalidInputError

if TYPE_CHECKING:
    from penstock.cli.shown.text import Fields


_MOST_BYTES = 1_000_000
# Python refuses to read very long integers, and `1:1:1:…` of YAML takes long.
_MOST_DIGITS = 20


def apply(
    file: Annotated[
        Path,
        typer.Option(
            "-f",
            "--file",
            metavar="FILE",
            help="A YAML file with a list `configs`; each has the fields of the API.",
        ),
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would change, and stop.")
    ] = False,
    prune: Annotated[
        bool,
        typer.Option("--prune", help="Also remove the configs that the file does not name."),
    ] = False,
    database: Database = None,
    as_json: JsonObject = False,
) -> None:
    """Make the configs match a file.

    All changes are made, or none. Applying the same file again changes nothing.

    Examples:
      penstock apply -f configs.yaml --dry-run
      penstock apply -f configs.yaml --prune
    """
    read = checked(ConfigFile, _read(file))
    order = ApplyConfigs(configs=read.configs, prune=prune, dry_run=dry_run)
    done = call(
        database,
        "POST",
        f"{ADMIN}/apply",
        order.model_dump(exclude_unset=True),
    )
    if as_json:
        print_json(done)
    else:
        _show(done)


class _Loader(yaml.SafeLoader):  # type: ignore[misc] # it comes without types
    """Leaves text what Python cannot read, so that the field it stands in refuses it by name."""


def _number(loader: _Loader, node: yaml.ScalarNode) -> object:
    text: str = loader.construct_scalar(node)
    read = getattr(loader, f"construct_yaml_{node.tag.rpartition(':')[2]}")
    with contextlib.suppress(KeyError, ValueError):
        if len(text) <= _MOST_DIGITS:
            return read(node)
    return text


for _kind in ("bool", "float", "int"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_kind}", _number)
_Loader.add_constructor("tag:yaml.org,2002:timestamp", yaml.SafeLoader.construct_yaml_str)


def _read(file: Path) -> object:
    text = read_file(file, _MOST_BYTES)
    try:
        return yaml.load(text, _Loader)  # noqa: S506 - as safe as its base
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InvalidInputError(
            f"file: {file} is not valid YAML ({reason}); put text that begins with * in quotes",
            field="file",
        ) from None


def _show(done: Fields) -> None:
    for config in done["added"]:
        out.print(f"+ {what(config)}")
    for config in done["changed"]:
        values = config["changes"].items()
        changes = ", ".join(f"{name}: {old} → {new}" for name, (old, new) in values)
        out.print(f"~ {config['symbol']} on {config['exchange']}, {changes}")
    for config in done["removed"]:
        out.print(f"- {config['symbol']} on {config['exchange']}")
    counts = {name: len(done[name]) for name in ("added", "changed", "removed")}
    counts["unchanged"] = done["unchanged"]
    summary = ", ".join(f"{count} {name}" for name, count in counts.items())
    out.print(f"would be: {summary}" if done["dry_run"] else summary)
