"""Syncs of sellers' inventories: start one, follow it, look at what it would change, and decide."""

from __future__ import annotations

import uuid
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from pydantic import Field

from penstock.api.routes.inventory.accounts import account_row
from penstock.api.routes.parts import (
    DecisionsDep,
    FromQuery,
    InventoryDep,
    StoreDep,
    StoreReader,
    TasksDep,
)
from penstock.api.routes.tasks import IdempotencyKey
from penstock.api.schemas.answer import answer
from penstock.api.schemas.input import Id, Input, Limit
from penstock.api.schemas.inventory.product import ChangeItem, ChangeKind, DiffItem
from penstock.api.schemas.inventory.sync import Sync
from penstock.api.schemas.problem import documented
from penstock.api.schemas.shape import Page
from penstock.api.schemas.task import Submitted
from penstock.domains.inventory import InventoryParts
from penstock.errors import InvalidInputError, NotFoundError
from penstock.inventory.queries.syncs import SyncRun, list_changes, list_diff
from penstock.inventory.sync.runs import name_running_sync

router = APIRouter(prefix="/api/v1/inventory", tags=["inventory"])

_MOST_64 = 2**63 - 1


class SyncWish(Input):
    """How to sync."""

    dry_run: bool = Field(default=False, description="only find out what would change")
    wait: bool = Field(
        default=False,
        description="queue behind the active sync of this account, instead of 409",
    )


class DiffQuery(Input):
    """Which part of a difference, by kind and product, a page at a time."""

    kind: ChangeKind | None = None
    cursor: str | None = Field(
        None,
        pattern=r"^(changed|gone|new|returned):[0-9]{1,19}$",
        description="`next_cursor` of the page before",
    )
    limit: Limit = 100


class DiffPage(Page):
    """What a sync would change."""

    items: list[DiffItem]
    next_cursor: str | None


class ChangesQuery(Input):
    """Which of the changes, a page at a time."""

    kind: ChangeKind | None = None
    cursor: str = Field(
        "0", pattern=r"^[0-9]{1,18}$", description="`next_cursor` of the page before"
    )
    limit: Limit = 100


class ChangesPage(Page):
    """What a sync changed."""

    items: list[ChangeItem]
    next_cursor: str | None


async def _sync(store: StoreDep, inventory: InventoryDep, task_id: uuid.UUID) -> SyncRun:
    """The sync that a path names."""
    return await store.one(
        lambda connection: inventory.syncs.of_task(connection, str(task_id)),
        f"there is no sync {task_id}",
    )


@router.post(
    "/accounts/{account_id}/sync", status_code=202, responses=documented(404, 409, 422, 503)
)
async def start_sync(
    inventory: InventoryDep,
    tasks: TasksDep,
    account_id: Id,
    wish: SyncWish | None = None,
    idempotency_key: IdempotencyKey = None,
) -> Submitted:
    """Bring the inventory in step with the marketplace; 409 while a sync of it is active."""
    wish = wish or SyncWish()
    submission = await inventory.runs.sync(account_id, dry_run=wish.dry_run, wait=wish.wait)
    with name_running_sync():
        return await tasks.submit(
            submission,
            "Dry run submitted" if wish.dry_run else "Inventory sync submitted",
            idempotency_key,
        )


@router.get("/accounts/{account_id}/sync", response_model=Sync, responses=documented(404, 422, 503))
async def get_newest_sync(store: StoreDep, inventory: InventoryDep, account_id: Id) -> Response:
    """The newest sync of an account, whatever started it."""
    found = await store.read(lambda connection: inventory.syncs.newest(connection, account_id))
    if found is None:
        await account_row(store, account_id)
        raise NotFoundError(f"account {account_id} was never synced; POST here starts a sync")
    return answer(Sync.of(found))


@router.get("/syncs/{task_id}", response_model=Sync, responses=documented(404, 422, 503))
async def get_sync(sync: Annotated[SyncRun, Depends(_sync)]) -> Response:
    """A sync, however long ago it ended."""
    return answer(Sync.of(sync))


@router.get("/syncs/{task_id}/diff", response_model=DiffPage, responses=documented(404, 422, 503))
async def get_sync_diff(
    sync: Annotated[SyncRun, Depends(_sync)],
    store: StoreDep,
    query: FromQuery[DiffQuery],
) -> Response:
    """What a dry run or a held sync would change.

    It is kept until it is decided, or a newer sync of the account replaces it.
    """
    run_id, after = sync.run.id, _after(query.cursor)
    return await store.answer(
        lambda connection: DiffPage.of(
            list_diff(connection, run_id, kind=query.kind, after=after, limit=query.limit),
            query.limit,
            DiffItem.of,
            lambda row: f"{row.kind}:{row.product_id}",
        )
    )


@router.get(
    "/syncs/{task_id}/changes", response_model=ChangesPage, responses=documented(404, 422, 503)
)
async def get_sync_changes(
    sync: Annotated[SyncRun, Depends(_sync)],
    store: StoreDep,
    query: FromQuery[ChangesQuery],
) -> Response:
    """What a published sync changed, product by product; a first import changes nothing."""
    run_id = sync.run.id
    return await store.answer(
        lambda connection: ChangesPage.of(
            list_changes(
                connection,
                run_id,
                kind=query.kind,
                after_id=int(query.cursor),
                limit=query.limit,
            ),
            query.limit,
            ChangeItem.of,
            lambda row: str(row.id),
        )
    )


_DECIDED = {
    202: {
        "model": Sync,
        "description": "It takes longer and goes on: `state` tells when it is done",
    },
    **documented(404, 409, 422, 503),
}


@router.post("/syncs/{task_id}/approve", response_model=Sync, responses=_DECIDED)
async def approve_sync(
    sync: Annotated[SyncRun, Depends(_sync)],
    store: StoreDep,
    inventory: InventoryDep,
    decisions: DecisionsDep,
    tasks: TasksDep,
) -> Response:
    """Publish exactly what the difference says.

    Refused with 409 when the inventory has changed since, or a newer sync replaced this one.
    """
    done = await decisions.carry_out(inventory.approve(sync, tasks.ledger))
    return await _decided(store, inventory, sync, done=done)


@router.post("/syncs/{task_id}/reject", response_model=Sync, responses=_DECIDED)
async def reject_sync(
    sync: Annotated[SyncRun, Depends(_sync)],
    store: StoreDep,
    inventory: InventoryDep,
    decisions: DecisionsDep,
) -> Response:
    """Drop the difference; the inventory stays as it is."""
    done = await decisions.carry_out(inventory.store.reject(sync.run.id))
    return await _decided(store, inventory, sync, done=done)


async def _decided(
    store: StoreReader, inventory: InventoryParts, sync: SyncRun, *, done: bool
) -> Response:
    """The sync after a decision, or while a large one is still being carried out."""
    (now,) = await store.read(lambda connection: inventory.syncs.of_runs(connection, [sync.run.id]))
    return answer(Sync.of(now), HTTPStatus.OK if done else HTTPStatus.ACCEPTED)


def _after(cursor: str | None) -> tuple[str, int] | None:
    if cursor is None:
        return None
    kind, _, product_id = cursor.partition(":")
    if int(product_id) > _MOST_64:
        raise InvalidInputError("cursor: send the `next_cursor` of the page before", field="cursor")
    return kind, int(product_id)
