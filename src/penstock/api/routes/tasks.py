"""The data collector: start, follow and cancel tasks."""

from __future__ import annotations

import uuid
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Header, Response
from pydantic import Field

from penstock.api.routes.parts import (
    ExecutorDep,
    FromQuery,
    MarketDep,
    OverviewDep,
    RunsDep,
    SchedulerDep,
    SettingsDep,
    StoreDep,
    StoreReader,
    TasksDep,
)
from penstock.api.schemas.answer import answer
from penstock.api.schemas.input import Input, Name, Time, Timeframes
from penstock.api.schemas.problem import documented
from penstock.api.schemas.schedule import ScheduleShown
from penstock.api.schemas.shape import Page, Shape
from penstock.api.schemas.task import STATUS, Status, Submitted, Task
from penstock.errors import ConflictError
from penstock.market.queries.instruments import trading_symbols
from penstock.market.runs.orders import MOST_CANDLES, CollectOrder
from penstock.market.runs.submission import COLLECTING, SCHEDULED_COLLECTION, symbol_refresh
from penstock.runs.queries import RunList, RunQueries, RunRow
from penstock.runs.run import RunState
from penstock.store.write.runs.digest import digest_of
from penstock.store.write.runs.rerun import rerun_of

if TYPE_CHECKING:
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
    market: MarketDep,
    tasks: TasksDep,
    store: StoreDep,
    runs: RunsDep,
    response: Response,
    order: Start | None = None,
    idempotency_key: IdempotencyKey = None,
) -> Submitted:
    """Start a collection; 409 while a task holds one of its series."""
    order = order or Start()
    submission = await market.runs.submission(
        CollectOrder(**order.model_dump(exclude={"wait", "max_age"})),
        wait=order.wait,
    )
    if order.max_age is not None and (
        found := await _found(store, runs, submission, order.max_age)
    ):
        response.status_code = HTTPStatus.OK
        return Submitted(
            task_id=found.task_id,
            status="completed",
            message=f"Collected less than {order.max_age:g} s ago",
        )
    return await tasks.submit(
        submission,
        f"Data collection submitted: {len(submission.resources)} series",
        idempotency_key,
    )


async def _found(
    store: StoreReader, runs: RunQueries, submission: Submission, max_age_s: float
) -> RunRow | None:
    digest = digest_of(submission)
    return await store.read(
        lambda connection: runs.newest_result(connection, digest, max_age_s=max_age_s)
    )


@router.post("/refresh-symbols", status_code=202, responses=documented(409, 422, 503))
async def refresh_symbols(
    market: MarketDep, tasks: TasksDep, idempotency_key: IdempotencyKey = None
) -> Submitted:
    """Read again what the exchange lists."""
    submission = symbol_refresh(market.runs.configured.exchange)
    return await tasks.submit(submission, "Symbol refresh submitted", idempotency_key)


@router.get("/task/{task_id}", response_model=Task, responses=documented(404, 422, 503))
async def get_task(store: StoreDep, runs: RunsDep, task_id: uuid.UUID) -> Response:
    """A task, however long ago it ended."""
    return answer(Task.of(await _run(store, runs, task_id)))


async def _run(store: StoreReader, runs: RunQueries, task_id: uuid.UUID) -> RunRow:
    return await store.one(
        lambda connection: runs.one(connection, str(task_id)), f"there is no task {task_id}"
    )


@router.post("/task/{task_id}/rerun", status_code=202, responses=documented(404, 409, 422, 503))
async def rerun_task(
    tasks: TasksDep, store: StoreDep, task_id: uuid.UUID, idempotency_key: IdempotencyKey = None
) -> Submitted:
    """Run an ended task again, with what it was given; 409 while a task holds one of its series."""
    submission = await store.read(lambda connection: rerun_of(connection, task_id))
    return await tasks.submit(submission, f"Task {task_id} submitted again", idempotency_key)


class TaskCancelled(Shape):
    """`cancelled`, or `running` while the task has not stopped yet."""

    task_id: str
    status: Status
    message: str


@router.post("/task/{task_id}/cancel", responses=documented(404, 409, 422, 503))
async def cancel_task(
    tasks: TasksDep, store: StoreDep, runs: RunsDep, task_id: uuid.UUID
) -> TaskCancelled:
    """Stop a queued task at once, a running one within a second; what it has written stays."""
    try:
        was = await tasks.cancel(task_id)
    except ConflictError:
        ended = await _run(store, runs, task_id)
        raise ConflictError(
            f"task {task_id} has already ended: {STATUS[ended.state]}", task_id=str(task_id)
        ) from None
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
async def list_tasks(store: StoreDep, runs: RunsDep, page: FromQuery[TasksQuery]) -> Response:
    """The tasks that are active, or finished in the last 5 minutes."""
    return await _page(store, runs, page, active_only=False)


@router.get("/tasks/active", response_model=TaskPage, responses=documented(422, 503))
async def list_active_tasks(
    store: StoreDep, runs: RunsDep, page: FromQuery[TasksQuery]
) -> Response:
    """The tasks that are queued or running."""
    return await _page(store, runs, page, active_only=True)


async def _page(
    store: StoreReader, runs: RunQueries, page: TasksQuery, *, active_only: bool
) -> Response:
    wanted = RunList(
        limit=page.limit, kind=page.task_type, active_only=active_only, before_id=page.cursor
    )
    return await store.answer(
        lambda connection: TaskPage.of(runs.listed(connection, wanted), page.limit, Task.of)
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
async def get_task_statistics(store: StoreDep, runs: RunsDep, market: MarketDep) -> TaskStatistics:
    """How many tasks there are, and what there is to collect."""
    configured = market.runs.configured
    counts, symbols, available = await store.read(
        lambda connection: (
            runs.counts(connection),
            market.automatic.symbols(connection),
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
    default_schedule: ScheduleShown | None = Field(
        description="as in `GET /api/v1/schedules`; null before the first start of a service"
    )


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
async def get_collector_status(
    overview: OverviewDep, executor: ExecutorDep, scheduler: SchedulerDep, settings: SettingsDep
) -> CollectorStatus:
    """What the collector does now."""
    view = await overview.view()
    status = SchedulerStatus(
        is_running=scheduler.running,
        collection_interval=settings.collection_interval,
        symbol_refresh_interval=settings.symbol_refresh_interval,
        data_collection_running=any(
            runs.kind in COLLECTING and runs.state is RunState.RUNNING for runs in view.active
        ),
        active_tasks_count=sum(
            runs.count for runs in view.active if runs.kind == SCHEDULED_COLLECTION
        ),
        scheduler_task_types=[SCHEDULED_COLLECTION],
        default_schedule=None if view.default is None else ScheduleShown.of(view.default),
    )
    return CollectorStatus(
        is_running=executor.running,
        symbols_count=len(view.symbols),
        active_tasks=sum(runs.count for runs in view.active),
        collection_interval=settings.collection_interval,
        symbols=list(view.symbols),
        scheduler_status=status,
    )
