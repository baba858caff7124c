"""What the routes stand on."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from penstock.api.guard.known import KnownTokens
from penstock.api.live.hub import Hub
from penstock.api.live.overview import Overview
from penstock.api.metrics.loop_lag import LoopLag
from penstock.api.metrics.scrape import Metrics
from penstock.api.upload import Uploads
from penstock.app import App
from penstock.store.write.runs.ledger import SqlRunLedger


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What the routes stand on.

    The application, the ledger that orders are submitted to, the health of its loop, its WebSocket
    clients, its overview, its numbers, the tokens that work, the files that come. `deciding` are
    decisions on syncs that go on although their client was answered, after `decision_s`.
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
    deciding: set[asyncio.Task[None]] = field(default_factory=set)


def _state(request: Request) -> State:
    state: State = request.app.state.penstock
    return state


CurrentState = Annotated[State, Depends(_state)]
