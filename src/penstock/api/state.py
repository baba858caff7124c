"""What the routes stand on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from penstock.app import App
from penstock.core.loop_lag import LoopLag


@dataclass(frozen=True, slots=True)
class State:
    """The application and the health of its loop."""

    app: App
    lag: LoopLag


def _state(request: Request) -> State:
    state: State = request.app.state.penstock
    return state


CurrentState = Annotated[State, Depends(_state)]
