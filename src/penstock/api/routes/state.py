"""What the routes work with."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request

from penstock.api.guard.known import KnownTokens
from penstock.api.live.hub import Hub
from penstock.api.live.overview import Overview
from penstock.api.metrics.loop_lag import LoopLag
from penstock.api.metrics.scrape import Metrics
from penstock.api.routes.answer import answer
from penstock.api.routes.upload import Uploads
from penstock.app import App
from penstock.store.write.runs.ledger import SqlRunLedger

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fastapi import Response
    from sqlalchemy import Connection

    from penstock.api.schemas.shape import Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The parts of a service that routes use.

    `ledger` takes the runs that are submitted. `deciding` are decisions on syncs that go on after
    their client was answered, `decision_s` after the request. `modules` are those whose routes
    the API has.
    """

    app: App
    ledger: SqlRunLedger
    lag: LoopLag
    hub: Hub
    overview: Overview
    metrics: Metrics
    known: KnownTokens
    uploads: Uploads
    decision_s: float | None
    modules: set[str]
    deciding: set[asyncio.Task[None]] = field(default_factory=set)

    async def answer(self, read: Callable[[Connection], Shape | Sequence[Shape]]) -> Response:
        """The answer that is read from the database, made and encoded in the thread that reads."""
        return await self.app.database.read(lambda connection: answer(read(connection)))


def _state(request: Request) -> State:
    state: State = request.app.state.penstock
    return state


CurrentState = Annotated[State, Depends(_state)]
