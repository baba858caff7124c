"""The parts of a service that routes use. A route names those that it needs as its parameters."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from fastapi import Depends, Query
from starlette.requests import HTTPConnection

from penstock.alerts.targets import AlertTargets
from penstock.api.guard.known import KnownTokens
from penstock.api.live.hub import Hub
from penstock.api.live.overview import Overview
from penstock.api.metrics.loop_lag import LoopLag
from penstock.api.metrics.scrape import Metrics
from penstock.api.routes.decisions import Decisions
from penstock.api.routes.upload import Uploads
from penstock.api.schemas.answer import answer
from penstock.api.schemas.task import Submitted
from penstock.collection.configs import Configs
from penstock.collection.domain import Domains
from penstock.domains.inventory import InventoryParts
from penstock.domains.market import MarketParts
from penstock.errors import NotFoundError, StoreUnavailableError
from penstock.runs.executor import Executor
from penstock.runs.queries import RunQueries
from penstock.runs.run import Submission
from penstock.runs.scheduler import Scheduler
from penstock.settings import Settings
from penstock.store.sizes import SqlSizes
from penstock.store.write.alerts.health import HealthQueries
from penstock.store.write.pauses import SqlPauses
from penstock.store.write.runs.ledger import SqlRunLedger
from penstock.store.write.tokens import SqlTokens

if TYPE_CHECKING:
    import uuid
    from collections.abc import Callable, Sequence

    from fastapi import Response

    from penstock.api.schemas.shape import Shape
    from penstock.runs.run import RunState
    from penstock.store.session.database import Database, Transaction
    from penstock.store.session.database import Query as DatabaseQuery
    from penstock.store.write.runs.submit import Wanted

T = TypeVar("T")

# Reads of clients at once, those that wait for a thread included.
_MOST_READS = 500

# The parameters of a query, as a model.
FromQuery = Annotated[T, Query()]


class StoreReader:
    """What routes read from the database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._reads = 0
        self._composes = threading.Lock()

    async def read(self, query: DatabaseQuery[T]) -> T:
        """The result of a query; StoreUnavailableError when too many others wait for theirs."""
        if self._reads >= _MOST_READS:
            raise StoreUnavailableError(
                f"{_MOST_READS} requests read from the database already; try again soon"
            )
        self._reads += 1
        try:
            return await self._database.read(query)
        finally:
            self._reads -= 1

    async def look(self, query: DatabaseQuery[T]) -> T:
        """The result of a short query, which waits for no other client."""
        return await self._database.look(query)

    async def one(self, query: DatabaseQuery[T | None], missing: str) -> T:
        """The result of a query; NotFoundError, with this message, when there is none."""
        found = await self.read(query)
        if found is None:
            raise NotFoundError(missing)
        return found

    async def composed(self, query: DatabaseQuery[T], compose: Callable[[T], Response]) -> Response:
        """The long answer that `compose` makes of the result of a query.

        One at a time: Python computes in one thread at a time anyway, and the loop would wait for
        each of the others in turn.
        """

        def work(connection: Transaction) -> Response:
            found = query(connection)
            with self._composes:
                return compose(found)

        return await self.read(work)

    async def answer(self, query: DatabaseQuery[Shape | Sequence[Shape]]) -> Response:
        """The answer that a query gives, made and encoded in the thread that reads."""
        return await self.read(lambda connection: answer(query(connection)))


class Tasks:
    """What routes start and stop; when they answer, the overview knows of it."""

    def __init__(self, ledger: SqlRunLedger, overview: Overview) -> None:
        self.ledger = ledger
        self._overview = overview

    async def submit(
        self, wanted: Wanted, message: str, idempotency_key: str | None = None
    ) -> Submitted:
        """Queue a run; ConflictError when a task holds one of its resources."""
        if isinstance(wanted, Submission):
            wanted = replace(wanted, idempotency_key=idempotency_key)
        task_id = await self.ledger.submit(wanted)
        await self._overview.caught_up()
        return Submitted(task_id=str(task_id), status="submitted", message=message)

    async def cancel(self, task_id: uuid.UUID) -> RunState:
        """Cancel a run; gives its state until now. ConflictError when it has ended."""
        was = await self.ledger.cancel(task_id)
        await self._overview.caught_up()
        return was


def part(kind: type[T]) -> Any:  # noqa: ANN401 - as FastAPI types what it injects
    """What injects a part by its type."""

    # Not a plain function: FastAPI calls those in a thread.
    async def of_service(connection: HTTPConnection) -> T:
        found: T = connection.app.state.parts[kind]
        return found

    return Depends(of_service)


TargetsDep = Annotated[AlertTargets, part(AlertTargets)]
ConfigsDep = Annotated[Configs, part(Configs)]
DecisionsDep = Annotated[Decisions, part(Decisions)]
DomainsDep = Annotated[Domains, part(Domains)]
ExecutorDep = Annotated[Executor, part(Executor)]
HealthDep = Annotated[HealthQueries, part(HealthQueries)]
HubDep = Annotated[Hub, part(Hub)]
InventoryDep = Annotated[InventoryParts, part(InventoryParts)]
KnownDep = Annotated[KnownTokens, part(KnownTokens)]
LagDep = Annotated[LoopLag, part(LoopLag)]
MarketDep = Annotated[MarketParts, part(MarketParts)]
MetricsDep = Annotated[Metrics, part(Metrics)]
OverviewDep = Annotated[Overview, part(Overview)]
PausesDep = Annotated[SqlPauses, part(SqlPauses)]
StoreDep = Annotated[StoreReader, part(StoreReader)]
RunsDep = Annotated[RunQueries, part(RunQueries)]
SchedulerDep = Annotated[Scheduler, part(Scheduler)]
SettingsDep = Annotated[Settings, part(Settings)]
SizesDep = Annotated[SqlSizes, part(SqlSizes)]
TokensDep = Annotated[SqlTokens, part(SqlTokens)]
TasksDep = Annotated[Tasks, part(Tasks)]
UploadsDep = Annotated[Uploads, part(Uploads)]
