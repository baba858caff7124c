"""`penstock diff`, `approve` and `reject`: look at what a held sync or a dry run would change, and decide."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from penstock.cli.options import Database
from penstock.cli.seller_doors import opened_seller
from penstock.cli.shown.changes import changed_lines, described
from penstock.cli.shown.sync_shown import print_counts
from penstock.cli.shown.terminal import err, fitting_table, out, print_sentence, print_table
from penstock.cli.shown.text import counted, one_line
from penstock.cli.signals import run
from penstock.cli.stored import opened_inventories
from penstock.logs import log_to_stderr
from penstock.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from penstock.settings import Settings

_KINDS = ("changed", "gone", "new", "returned")
_MOST = 1_000_000

Undecided = Annotated[str, typer.Argument(metavar="NAME|TASK", help="The account's name or number, or the sync's task id.")]
AsJson = Annotated[bool, typer.Option("--json", metavar="", help="Print one JSON object.")]


def diff(
    sync: Undecided,
    kind: Annotated[str | None, typer.Option(metavar="KIND", help="Only what is new, changed, gone or returned.", show_default=False)] = None,
    limit: Annotated[int, typer.Option(min=1, max=_MOST, metavar="N", help="So many products at the most.")] = 50,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Show what a held sync, or a dry run, would change."""
    undecided, items = run(_diff(load_settings(database_url=database), sync, kind, limit))
    if as_json:
        typer.echo(json.dumps({"sync": undecided, "items": items}))
        return
    _say_what_it_is(undecided)
    total = undecided["counts"][kind] if kind else sum(undecided["counts"][name] for name in _KINDS)
    if total:
        out.print()
        print_table(_table(items), fit=True)
    if len(items) < total:
        err.print(f"{counted(total - len(items), 'more product')}: --limit {total} shows all, --kind some of them")


def approve(sync: Undecided, database: Database = None, as_json: AsJson = False) -> None:
    """Publish exactly what `penstock diff` shows.

    Ends with 5 when that was replaced, or something was published since it was compared: then start a new sync.
    """
    run(_decide(load_settings(database_url=database), sync, publish=True, as_json=as_json))


def reject(sync: Undecided, database: Database = None, as_json: AsJson = False) -> None:
    """Drop what `penstock diff` shows; nothing is published."""
    run(_decide(load_settings(database_url=database), sync, publish=False, as_json=as_json))


async def _diff(settings: Settings, given: str, kind: str | None, limit: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    async with opened_inventories(settings) as inventories:
        undecided = await inventories.undecided(given)
        return undecided, await inventories.diff(undecided["task_id"], kind=kind, limit=limit)


async def _decide(settings: Settings, given: str, *, publish: bool, as_json: bool) -> None:
    log_to_stderr(settings.log_level or "critical")
    async with opened_inventories(settings) as inventories:
        undecided = await inventories.undecided(given)
    async with opened_seller(settings) as door:
        decided = await (door.approve if publish else door.reject)(undecided["task_id"])
        _say_what_was_done(decided, publish=publish, as_json=as_json)


def _say_what_was_done(decided: Mapping[str, Any], *, publish: bool, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(decided))
    elif publish:
        out.print(f"published, as sync {decided['task_id']} found it")
        print_counts(decided["counts"])
    else:
        out.print(f"dropped what sync {decided['task_id']} found; the published inventory is as it was")


def _say_what_it_is(sync: Mapping[str, Any]) -> None:
    out.print(f"{'Dry run' if sync['dry_run'] else 'Held sync'} {sync['task_id']} would change:")
    for sentence in [*sync["suspicions"].values(), *([sync["unread"]] if sync["unread"] else [])]:
        print_sentence(f"! {one_line(sentence)}")
    print_counts(sync["counts"])


def _table(items: Sequence[Mapping[str, Any]]) -> Any:  # noqa: ANN401 - a table of rich, which only the terminal module names
    table = fitting_table("kind", "product", "name", "what", whole=("kind", "product"))
    for one in items:
        table.add_row(one["kind"], str(one["product_id"]), one_line(one["name_en"]), _what(one))
    return table


def _what(item: Mapping[str, Any]) -> str:
    lines = changed_lines(item["changes"], price_cents=item["price_cents"], price_currency=item["price_currency"])
    return "\n".join(lines) if item["kind"] == "changed" else "\n".join([described(item), *lines])
