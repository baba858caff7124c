"""`penstock diff`, `approve` and `reject`: inspect a held sync or a dry run, and decide."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from penstock.cli.commands.inventory.sync import SYNCS
from penstock.cli.options import Database, JsonObject, Yes
from penstock.cli.reached import reach
from penstock.cli.shown.changes import changed_lines, described
from penstock.cli.shown.sync_shown import print_counts
from penstock.cli.shown.terminal import (
    confirmed,
    err,
    out,
    print_json,
    print_rows,
    print_sentence,
)
from penstock.cli.shown.text import one_line
from penstock.cli.stored import stored, stored_diff
from penstock.errors import RunUnavailableError
from penstock.name import counted

if TYPE_CHECKING:
    from penstock.cli.client import ApiClient
    from penstock.cli.shown.text import Fields

_KINDS = ("changed", "gone", "new", "returned")
_MOST = 1_000_000
_UNDECIDED = frozenset({"held", "dry_run"})
_DECISION_S = 600.0
_LOOK_AGAIN_S = 0.5

Undecided = Annotated[
    str,
    typer.Argument(metavar="NAME|TASK", help="The account's name or id, or the sync's task id."),
]


def diff(
    sync: Undecided,
    kind: Annotated[
        str | None,
        typer.Option(metavar="KIND", help="Only new, changed, gone or returned products."),
    ] = None,
    limit: Annotated[
        int, typer.Option(min=1, max=_MOST, metavar="N", help="Maximum to show.")
    ] = 50,
    database: Database = None,
    as_json: JsonObject = False,
) -> None:
    """Show what a held sync or a dry run would change.

    Examples:
      penstock diff my-shop
      penstock diff my-shop --kind gone --limit 1000
    """
    undecided = _undecided(database, sync)
    items = stored_diff(database, undecided["task_id"], kind=kind, limit=limit)
    if as_json:
        print_json({"sync": undecided, "items": items})
        return
    _say_what_it_is(undecided)
    total = undecided["counts"][kind] if kind else sum(undecided["counts"][name] for name in _KINDS)
    if total:
        out.print()
        rows = ((item["kind"], item["product_id"], item["name_en"], _what(item)) for item in items)
        print_rows(("kind", "product", "name", "what"), rows, whole=("kind", "product"))
    if len(items) < total:
        err.print(f"Showing {len(items):,} of {total:,}; --limit {total} for all, --kind to filter")


def approve(
    sync: Undecided,
    yes: Yes = False,
    database: Database = None,
    as_json: JsonObject = False,
) -> None:
    """Publish exactly what `penstock diff` shows.

    Asks first when products would be removed. Exits with 5 when another sync was published since:
    start a new one.

    Examples:
      penstock approve my-shop
      penstock approve my-shop --yes
    """
    found = _undecided(database, sync)
    if not (yes or _may_publish(found)):
        err.print("nothing was published")
        return
    decided = _decide(database, found, "approve")
    if as_json:
        print_json(decided)
        return
    out.print(f"published what sync {decided['task_id']} found")
    print_counts(decided["counts"])


def reject(sync: Undecided, database: Database = None, as_json: JsonObject = False) -> None:
    """Drop what `penstock diff` shows; publish nothing.

    Examples:
      penstock reject my-shop
    """
    decided = _decide(database, _undecided(database, sync), "reject")
    if as_json:
        print_json(decided)
    else:
        out.print(f"dropped what sync {decided['task_id']} found; nothing was published")


def _may_publish(sync: Fields) -> bool:
    """Asks on a terminal, where products would be removed; a script has decided already."""
    gone = sync["counts"]["gone"]
    if not gone or not sys.stdin.isatty():
        return True
    return confirmed(f"Publish sync {sync['task_id']}, which removes {counted(gone, 'product')}?")


def _undecided(database: str | None, given: str) -> Fields:
    return stored(database, lambda inventories: inventories.undecided(given))


def _decide(database: str | None, sync: Fields, how: str) -> Fields:
    return reach(database, lambda client: decided_on(client, sync["task_id"], how))


async def decided_on(client: ApiClient, task_id: str, how: str) -> Fields:
    """The decided sync. An interruption prints what became of it."""
    path = f"{SYNCS}/{task_id}"
    try:
        await client.call("POST", f"{path}/{how}", patient=True)
        return await _in_time(client, path)
    except asyncio.CancelledError:
        if client.transport.url is not None:
            err.print("the service continues if it has begun; see penstock accounts")
        else:
            state = (await client.call("GET", path))["state"]
            late = f"cancelled too late: it is {state}"
            err.print("cancelled: nothing is decided" if state in _UNDECIDED else late)
        raise


async def _in_time(client: ApiClient, path: str) -> Fields:
    """The sync as decided; a service accepts a large one within seconds and takes longer."""
    give_up = time.monotonic() + _DECISION_S
    while (sync := await client.call("GET", path))["state"] in _UNDECIDED:
        if time.monotonic() > give_up:
            late = f"the service has not decided within {_DECISION_S:g} s"
            raise RunUnavailableError(f"{late}; see its log and `penstock accounts`")
        await asyncio.sleep(_LOOK_AGAIN_S)
    decided: Fields = sync
    return decided


def _say_what_it_is(sync: Fields) -> None:
    out.print(f"{'Dry run' if sync['dry_run'] else 'Held sync'} {sync['task_id']} would change:")
    for sentence in [*sync["suspicions"].values(), *([sync["unread"]] if sync["unread"] else [])]:
        print_sentence(f"! {one_line(sentence)}")
    print_counts(sync["counts"])


def _what(item: Fields) -> list[str]:
    lines = changed_lines(
        item["changes"], price_cents=item["price_cents"], price_currency=item["price_currency"]
    )
    return lines if item["kind"] == "changed" else [described(item), *lines]
