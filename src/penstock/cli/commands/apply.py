"""`penstock apply`: the configs of a file, all of them or none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import yaml

from penstock.api.schemas.config import ApplyConfigs, ConfigFile
from penstock.cli.commands.config import ADMIN, checked, what
from penstock.cli.options import Database
from penstock.cli.reached import Reached, reached
from penstock.cli.shown.terminal import out
from penstock.cli.signals import run
from penstock.errors import InvalidInputError
from penstock.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Mapping


_MOST_BYTES = 1_000_000


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
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Make the configs match a file.

    All changes are made, or none. Applying the same file again changes nothing.

    Examples:
      penstock apply -f configs.yaml --dry-run
      penstock apply -f configs.yaml --prune
    """
    read = checked(ConfigFile, _read(file))
    order = ApplyConfigs(configs=read.configs, prune=prune, dry_run=dry_run)
    done = run(_apply(reached(load_settings(database_url=database)), order))
    if as_json:
        typer.echo(json.dumps(done))
    else:
        _show(done)


async def _apply(side: Reached, order: ApplyConfigs) -> dict[str, Any]:
    async with side as client:
        sent = order.model_dump(exclude_unset=True)
        done: dict[str, Any] = await client.call("POST", f"{ADMIN}/apply", sent)
        return done


def _read(file: Path) -> object:
    try:
        with file.open("rb") as opened_file:
            text = opened_file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise InvalidInputError(
            f"file: {file} cannot be read ({error.strerror})", field="file"
        ) from None
    if len(text) > _MOST_BYTES:
        raise InvalidInputError(f"file: {file} is larger than {_MOST_BYTES:,} bytes", field="file")
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InvalidInputError(
            f"file: {file} is not valid YAML ({reason}); put text that begins with * in quotes",
            field="file",
        ) from None


def _show(done: Mapping[str, Any]) -> None:
    for one in done["added"]:
        out.print(f"+ {what(one)}")
    for one in done["changed"]:
        changes = ", ".join(f"{name}: {old} → {new}" for name, (old, new) in one["changes"].items())
        out.print(f"~ {one['symbol']} on {one['exchange']}, {changes}")
    for one in done["removed"]:
        out.print(f"- {one['symbol']} on {one['exchange']}")
    counts = {name: len(done[name]) for name in ("added", "changed", "removed")}
    counts["unchanged"] = done["unchanged"]
    summary = ", ".join(f"{count} {name}" for name, count in counts.items())
    out.print(f"would be: {summary}" if done["dry_run"] else summary)
