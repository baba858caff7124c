"""The data collector: start, follow and cancel tasks."""

from __future__ import annotations

import uuid
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Header, Query, Response
from pydantic import Field

from penstock.api.routes.answer import answer
from penstock.api.routes.state import CurrentState, State
from penstock.api.schemas.input import Input, Time, Timeframes
from penstock.api.schemas.name import Name
from penstock.api.schemas.problem import documented
from penstock.api.schemas.shape import Page, Shape
from penstock.api.schemas.task import STATUS, Status, Submitted, Task
from penstock.domains.market import MarketParts
from penstock.errors import ConflictError, NotFoundError
from penstock.market.queries.instruments import configured_symbols, trading_symbols
from penstock.market.runs.orders import MOST_CANDLES, CollectOrder
from penstock.market.runs.submission import COLLECTING, SCHEDULED_COLLECTION, symbol_refresh
from penstock.runs.queries import RunList, RunRow
from penstock.runs.run import RunState
from penstock.store.write.runs.digest import digest_of
from penstock.store.write.runs.submit import Wanted

if TYPE_CHECKING:
    from penstock.app import App
    from penstock.runs.run import Submission

router = APIRouter(prefix="/api/v1/data-collector", tags=["data collector"])

_MOST_SYMBOLS = 5_000
_YEAR_S = 366 * 86_400

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        description="the same key with the same request is the same task, not a second one",
    ),
]


class Start(Input):
    """What to collect; without symbols or timeframes all configured ones."""

    symbols: list[Name] | None = Field(
        default=None, min_length=1, max_length=_MOST_SYMBOLS, description="BTC/USDT or BTCUSDT"
    )
    timeframes: Timeframes | None = None
    exchange: Name = "binance"
    limit: int | None = Field(
        default=None,
        ge=1,
        le=MOST_CANDLES,
        description="the newest candles of a series that is still empty; 100 by default",
    )
    since: Time | None = Field(default=None, description="reach back to this time")
    until: Time | None = Field(default=None, description="only what opens before this time")
    recheck: bool = Field(
        default=False,
        description="read again what is stored from `since` on, and what is known to be missing",
    )
    wait: bool = Field(
        default=False,
        description="queue behind a task that holds one of the series, instead of 409",
    )
    max_age: float | None = Field(
        default=None,
        gt=0,
        le=_YEAR_S,
        description="answer a result of the same collection that is at most this many seconds old",
    )


@router.post(
    "/start",
    status_code=202,
    responses={
        200: {"model": Submitted, "description": "Collected before"},
        **documented(409, 422, 502, 503),
    },
)
async def start_collection(
    state: CurrentState,
    response: Response,
    order: Start | None = None,
    idempotency_key: IdempotencyKey = None,
) -> Submitted:
    """Start a collection; 409 while a task holds one of its series."""
    order = order or Start()
    submission = await state.app.of(MarketParts).runs.submission(
        CollectOrder(**order.model_dump(exclude={"wait", "max_age"})),
        wait=order.wait,
        idempotency_key=idempotency_key,
    )
    if order.max_age is not None and (found := await _found(state.app, submission, order.max_age)):
        response.status_code = HTTPStatus.OK
        return Submitted(
            task_id=found.task_id,
            status="completed",
            message=f"Collected less than {order.max_age:g} s ago",
        )
    return await submit(
        state, submission, f"Data collection submitted: {len(submission.resources)} series"
    )


async def _found(app: App, submission: Submission, max_age_s: float) -> RunRow | None:
    digest = digest_of(submission)
    return await app.database.read(
        lambda connection: app.runs.newest_result(connection, digest, max_age_s=max_age_s)
    )


async def submit(state: State, wanted: Wanted, message: str) -> Submitted:
    """Queue a run; ConflictError when a task holds one of its resources."""
    task_id = await state.ledger.submit(wanted)
    await state.overview.caught_up()
    return Submitted(task_id=str(task_id), status="submitted", message=message)


@router.post("/refresh-symbols", status_code=202, responses=documented(409, 422, 503))
async def refresh_symbols(state: CurrentState, idempotency_key: IdempotencyKey = None) -> Submitted:
    """Read again what the exchange lists."""
    submission = symbol_refresh(state.app.of(MarketParts).runs.configured.exchange)
    return await submit(
        state, replace(submission, idempotency_key=idempotency_key), "Symbol refresh submitted"
    )


@router.get("/task/{task_id}", response_model=Task, responses=documented(404, 422, 503))
async def get_task(state: CurrentState, task_id: uuid.UUID) -> Response:
    """A task, however long ago it ended."""
    return answer(Task.of(await _run(state.app, task_id)))


async def _run(app: App, task_id: uuid.UUID) -> RunRow:
    run = await app.database.read(lambda connection: app.runs.one(connection, str(task_id)))
    if run is None:
        message = f"there is no task {task_id}"
        raise NotFoundError(message)
    return run


class TaskCancelled(Shape):
    """`cancelled`, or `running` while the task has not stopped yet."""

    task_id: str
    status: Status
    message: str


@router.post("/task/{task_id}/cancel", responses=documented(404, 409, 422, 503))
async def cancel_task(state: CurrentState, task_id: uuid.UUID) -> TaskCancelled:
    """Stop a queued task at once, a running one within a second; what it has written stays."""
    try:
        was = await state.app.ledger.cancel(task_id)
    except ConflictError:
        ended = await _run(state.app, task_id)
        message = f"task {task_id} has already ended: {STATUS[ended.state]}"
        raise ConflictError(message, task_id=str(task_id)) from None
    await state.overview.caught_up()
    if was is RunState.QUEUED:
        return TaskCancelled(task_id=str(task_id), status="cancelled", message="Task cancelled")
    return TaskCancelled(
        task_id=str(task_id),
        status="running",
        message="The task will stop; what it has written stays",
    )


class TasksQuery(Input):
    """Which tasks, a page at a time."""

    task_type: Name | None = Field(
        default=None, description="data_collection, symbol_refresh, scheduled_data_collection …"
    )
    limit: int = Field(default=100, ge=1, le=500)
    cursor: int | None = Field(
        default=None, ge=1, lt=2**63, description="`next_cursor` of the page before"
    )


class TaskPage(Page):
    """Tasks, the newest first."""

    tasks: list[Task]
    next_cursor: int | None


@router.get("/tasks", response_model=TaskPage, responses=documented(422, 503))
async def list_tasks(state: CurrentState, page: Annotated[TasksQuery, Query()]) -> Response:
    """The tasks that are active, or finished in the last 5 minutes."""
    return await _page(state, page, active_only=False)


@router.get("/tasks/active", response_model=TaskPage, responses=documented(422, 503))
async def list_active_tasks(state: CurrentState, page: Annotated[TasksQuery, Query()]) -> Response:
    """The tasks that are queued or running."""
    return await _page(state, page, active_only=True)


async def _page(state: State, page: TasksQuery, *, active_only: bool) -> Response:
    wanted = RunList(
        limit=page.limit, kind=page.task_type, active_only=active_only, before_id=page.cursor
    )
    return await state.answer(
        lambda connection: TaskPage.of(
            state.app.runs.listed(connection, wanted), page.limit, Task.of
        )
    )


class TaskCounts(Shape):
    """The listed tasks by status."""

    pending: int
    running: int
    completed: int
    failed: int
    cancelled: int


class CollectorNames(Shape):
    """What is collected automatically.

    `available_symbols` are those that the exchange trades, as of the last symbol refresh.
    """

    symbols_count: int
    timeframes: list[str]
    available_symbols: list[str]


class TaskStatistics(Shape):
    """Tasks and symbols in numbers."""

    task_counts: TaskCounts
    active_tasks_count: int
    data_collector_status: CollectorNames


@router.get("/tasks/stats", responses=documented(503))
async def get_task_statistics(state: CurrentState) -> TaskStatistics:
    """How many tasks there are, and what there is to collect."""
    app, configured = state.app, state.app.of(MarketParts).runs.configured
    counts, symbols, available = await app.database.read(
        lambda connection: (
            app.runs.counts(connection),
            configured_symbols(connection, configured),
            trading_symbols(connection, configured.exchange, limit=_MOST_SYMBOLS),
        )
    )
    return TaskStatistics(
        task_counts=TaskCounts(**{STATUS[run_state]: count for run_state, count in counts.items()}),
        active_tasks_count=counts[RunState.QUEUED] + counts[RunState.RUNNING],
        data_collector_status=CollectorNames(
            symbols_count=len(symbols),
            timeframes=list(configured.timeframes),
            available_symbols=available,
        ),
    )


class SchedulerStatus(Shape):
    """The scheduler of this process; `active_tasks_count` counts what it has submitted."""

    is_running: bool
    collection_interval: int
    symbol_refresh_interval: int
    data_collection_running: bool
    active_tasks_count: int
    scheduler_task_types: list[str]


class CollectorStatus(Shape):
    """The collector. `is_running`: this process works on tasks.

    `symbols` are those that it collects automatically.
    """

    is_running: bool
    symbols_count: int
    active_tasks: int
    collection_interval: int
    symbols: list[str]
    scheduler_status: SchedulerStatus


@router.get("/status", responses=documented(503))
async def get_collector_status(state: CurrentState) -> CollectorStatus:
    """What the collector does now."""
    app, settings = state.app, state.app.settings
    view = await state.overview.view()
    scheduler = SchedulerStatus(
        is_running=app.scheduler.running,
        collection_interval=settings.collection_interval,
        symbol_refresh_interval=settings.symbol_refresh_interval,
        data_collection_running=any(
            runs.kind in COLLECTING and runs.state is RunState.RUNNING for runs in view.active
        ),
        active_tasks_count=sum(
            runs.count for runs in view.active if runs.kind == SCHEDULED_COLLECTION
        ),
        scheduler_task_types=[SCHEDULED_COLLECTION],
    )
    return CollectorStatus(
        is_running=app.executor.running,
        symbols_count=len(view.symbols),
        active_tasks=sum(runs.count for runs in view.active),
        collection_interval=settings.collection_interval,
        symbols=list(view.symbols),
        scheduler_status=scheduler,
    )
