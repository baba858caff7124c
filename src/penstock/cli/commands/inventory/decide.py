"""`penstock diff`, `approve` and `reject`: look at what a held sync or a dry run would change, and decide."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from penstock.cli.commands.inventory.sync import SYNCS
from penstock.cli.options import Database
from penstock.cli.reached import Reached, reached
from penstock.cli.shown.changes import changed_lines, described
from penstock.cli.shown.sync_shown import print_counts
from penstock.cli.shown.terminal import err, fitting_table, out, print_sentence, print_table
from penstock.cli.shown.text import counted, one_line
from penstock.cli.signals import run
from penstock.cli.stored import opened_inventories
from penstock.errors import RunUnavailableError
from penstock.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from penstock.cli.client import Client
    from penstock.settings import Settings

_KINDS = ("changed", "gone", "new", "returned")
_MOST = 1_000_000
_UNDECIDED = frozenset({"held", "dry_run"})
_DECISION_S = 600.0
_LOOK_AGAIN_S = 0.5

Undecided = Annotated[
    str,
    typer.Argument(
        metavar="NAME|TASK", help="The account's name or number, or the sync's task id."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", metavar="", help="Print one JSON object.")]


def diff(
    sync: Undecided,
    kind: Annotated[
        str | None,
        typer.Option(
            metavar="KIND", help="Only what is new, changed, gone or returned.", show_default=False
        ),
    ] = None,
    limit: Annotated[
        int, typer.Option(min=1, max=_MOST, metavar="N", help="So many products at the most.")
    ] = 50,
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
        err.print(
            f"{counted(total - len(items), 'more product')}: --limit {total} shows all, --kind some of them"
        )


def approve(sync: Undecided, database: Database = None, as_json: AsJson = False) -> None:
    """Publish exactly what `penstock diff` shows.

    Ends with 5 when that was replaced, or something was published since it was compared: then start a new sync.
    """
    settings = load_settings(database_url=database)
    run(_decide(settings, reached(settings), sync, publish=True, as_json=as_json))


def reject(sync: Undecided, database: Database = None, as_json: AsJson = False) -> None:
    """Drop what `penstock diff` shows; nothing is published."""
    settings = load_settings(database_url=database)
    run(_decide(settings, reached(settings), sync, publish=False, as_json=as_json))


async def _diff(
    settings: Settings, given: str, kind: str | None, limit: int
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    async with opened_inventories(settings) as inventories:
        undecided = await inventories.undecided(given)
        return undecided, await inventories.diff(undecided["task_id"], kind=kind, limit=limit)


async def _decide(
    settings: Settings, side: Reached, given: str, *, publish: bool, as_json: bool
) -> None:
    async with opened_inventories(settings) as inventories:
        undecided = await inventories.undecided(given)
    async with side as client:
        decided = await decided_on(client, undecided["task_id"], "approve" if publish else "reject")
        _say_what_was_done(decided, publish=publish, as_json=as_json)


async def decided_on(client: Client, task_id: str, how: str) -> dict[str, Any]:
    """The sync once it is decided; whoever interrupts that is told what has become of it."""
    path = f"{SYNCS}/{task_id}"
    try:
        await client.call("POST", f"{path}/{how}", patient=True)
        return await _in_time(client, path)
    except asyncio.CancelledError:
        if client.url is not None:
            err.print("the service goes on with it, if it has begun; see penstock accounts")
        else:
            state = (await client.call("GET", path))["state"]
            open_still = state in _UNDECIDED
            late = f"cancelled too late: it is {state}"
            err.print("cancelled: it is not decided" if open_still else late)
        raise


async def _in_time(client: Client, path: str) -> dict[str, Any]:
    """A service answers after some seconds that it has begun; what is large takes longer."""
    give_up = time.monotonic() + _DECISION_S
    while (sync := await client.call("GET", path))["state"] in _UNDECIDED:
        if time.monotonic() > give_up:
            late = f"the service has not done it within {_DECISION_S:g} s; its log says why"
            raise RunUnavailableError(f"{late}, `penstock accounts` how it is")
        await asyncio.sleep(_LOOK_AGAIN_S)
    decided: dict[str, Any] = sync
    return decided


def _say_what_was_done(decided: Mapping[str, Any], *, publish: bool, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(decided))
    elif publish:
        out.print(f"published, as sync {decided['task_id']} found it")
        print_counts(decided["counts"])
    else:
        out.print(
            f"dropped what sync {decided['task_id']} found; the published inventory is as it was"
        )


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
    lines = changed_lines(
        item["changes"], price_cents=item["price_cents"], price_currency=item["price_currency"]
    )
    return "\n".join(lines) if item["kind"] == "changed" else "\n".join([described(item), *lines])
