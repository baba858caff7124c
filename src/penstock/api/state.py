"""What the routes stand on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from penstock.api.hub import Hub
from penstock.api.overview import Overview
from penstock.api.scrape import Metrics
from penstock.app import App
from penstock.core.loop_lag import LoopLag


@dataclass(frozen=True, slots=True)
class State:
    """The application, the health of its loop, its WebSocket clients, its overview, its numbers."""

    app: App
    lag: LoopLag
    hub: Hub
    overview: Overview
    metrics: Metrics


def _state(request: Request) -> State:
    state: State = request.app.state.penstock
    return state


CurrentState = Annotated[State, Depends(_state)]
