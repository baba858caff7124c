"""Syncs of sellers' inventories: start one, follow it, look at what it would change, and decide."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any

import structlog
from fastapi import APIRouter, Query, Response
from pydantic import Field

from penstock.api.routes.answer import answer
from penstock.api.routes.inventory.accounts import account_row
from penstock.api.routes.state import CurrentState, State
from penstock.api.routes.tasks import IdempotencyKey, submit
from penstock.api.schemas.input import Id, Input, Limit
from penstock.api.schemas.inventory.product import ChangeKind, DiffItem
from penstock.api.schemas.inventory.sync import Sync
from penstock.api.schemas.problem import documented
from penstock.api.schemas.shape import Page
from penstock.api.schemas.task import Submitted
from penstock.domains.inventory import InventoryParts
from penstock.errors import InvalidInputError, NotFoundError
from penstock.inventory.queries.syncs import list_diff, sync_row
from penstock.inventory.sync.runs import name_running_sync

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from penstock.app import App
    from penstock.inventory.queries.syncs import SyncRun

router = APIRouter(prefix="/api/v1/inventory", tags=["inventory"])

_log: structlog.stdlib.BoundLogger = structlog.get_logger()

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


@router.post(
    "/accounts/{account_id}/sync", status_code=202, responses=documented(404, 409, 422, 503)
)
async def start_sync(
    state: CurrentState,
    account_id: Id,
    wish: SyncWish | None = None,
    idempotency_key: IdempotencyKey = None,
) -> Submitted:
    """Bring the inventory in step with the marketplace; 409 while a sync of it is active."""
    wish = wish or SyncWish()
    submission = await state.app.of(InventoryParts).runs.sync(
        account_id, dry_run=wish.dry_run, wait=wish.wait
    )
    with name_running_sync():
        return await submit(
            state,
            replace(submission, idempotency_key=idempotency_key),
            "Dry run submitted" if wish.dry_run else "Inventory sync submitted",
        )


@router.get("/accounts/{account_id}/sync", response_model=Sync, responses=documented(404, 422, 503))
async def get_newest_sync(state: CurrentState, account_id: Id) -> Response:
    """The newest sync of an account, whatever started it."""
    found = await state.app.database.read(
        lambda connection: state.app.of(InventoryParts).syncs.newest(connection, account_id)
    )
    if found is None:
        await account_row(state, account_id)
        raise NotFoundError(f"account {account_id} was never synced; POST here starts a sync")
    return answer(Sync.of(found))


@router.get("/syncs/{task_id}", response_model=Sync, responses=documented(404, 422, 503))
async def get_sync(state: CurrentState, task_id: uuid.UUID) -> Response:
    """A sync, however long ago it ended."""
    return answer(Sync.of(await _sync(state.app, task_id)))


@router.get("/syncs/{task_id}/diff", response_model=DiffPage, responses=documented(404, 422, 503))
async def get_sync_diff(
    state: CurrentState, task_id: uuid.UUID, query: Annotated[DiffQuery, Query()]
) -> Response:
    """What a dry run or a held sync would change.

    It is kept until it is decided, or a newer sync of the account replaces it.
    """
    found, after = await _sync(state.app, task_id), _after(query.cursor)
    return await state.answer(
        lambda connection: DiffPage.of(
            list_diff(connection, found.run.id, kind=query.kind, after=after, limit=query.limit),
            query.limit,
            DiffItem.of,
            lambda row: f"{row.kind}:{row.product_id}",
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
async def approve_sync(state: CurrentState, task_id: uuid.UUID) -> Response:
    """Publish exactly what the difference says.

    Refused with 409 when the inventory has changed since, or a newer sync replaced this one.
    """
    return await _decide(state, task_id, partial(_approve, state))


@router.post("/syncs/{task_id}/reject", response_model=Sync, responses=_DECIDED)
async def reject_sync(state: CurrentState, task_id: uuid.UUID) -> Response:
    """Drop the difference; the inventory stays as it is."""
    return await _decide(state, task_id, state.app.of(InventoryParts).store.reject)


async def _approve(state: State, run_id: int) -> None:
    """Publish, and look up what the products are, as after any other sync."""
    app = state.app
    await app.of(InventoryParts).store.approve(run_id)
    sync = await app.database.read(lambda connection: sync_row(connection, run_id))
    if sync is not None:
        account = await app.of(InventoryParts).store.account(sync.account_id)
        await app.of(InventoryParts).refreshes.published(state.ledger, account)


async def _decide(
    state: State, task_id: uuid.UUID, decide: Callable[[int], Coroutine[Any, Any, None]]
) -> Response:
    """Decide, for as long as a client waits; a large difference takes longer and goes on.

    Reasons to refuse are checked first and answered at once.
    """
    found = await _sync(state.app, task_id)
    deciding = asyncio.create_task(decide(found.run.id), name="decision")
    state.deciding.add(deciding)
    deciding.add_done_callback(state.deciding.discard)
    try:
        done, _ = await asyncio.wait([deciding], timeout=state.decision_s)
    except asyncio.CancelledError:
        # What is being written is written to its end.
        deciding.cancel()
        await asyncio.wait([deciding])
        raise
    if done:
        await deciding
    else:
        deciding.add_done_callback(_log_failure)
    status = HTTPStatus.OK if done else HTTPStatus.ACCEPTED
    return answer(Sync.of(await _sync(state.app, task_id)), status)


def _log_failure(deciding: asyncio.Task[None]) -> None:
    """Log why a decision failed whose client was already answered."""
    if not deciding.cancelled() and (error := deciding.exception()) is not None:
        _log.error(
            "a decision on a sync could not be carried out; the sync waits for one as before",
            error=str(error),
        )


async def _sync(app: App, task_id: uuid.UUID) -> SyncRun:
    found = await app.database.read(
        lambda connection: app.of(InventoryParts).syncs.of_task(connection, str(task_id))
    )
    if found is None:
        message = f"there is no sync {task_id}"
        raise NotFoundError(message)
    return found


def _after(cursor: str | None) -> tuple[str, int] | None:
    if cursor is None:
        return None
    kind, _, product_id = cursor.partition(":")
    if int(product_id) > _MOST_64:
        message = "cursor: send the `next_cursor` of the page before"
        raise InvalidInputError(message, field="cursor")
    return kind, int(product_id)
