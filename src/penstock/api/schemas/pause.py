"""A pause as the API and the commands show it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from pydantic import Field

from penstock.api.schemas.shape import Moment, RowShape, Shape

if TYPE_CHECKING:
    from penstock.store.write.pauses import Pause


class PauseShown(RowShape):
    """A provider that asked to be left alone, until when, and for how long from now."""

    provider: str
    until: Moment
    seconds_left: float


class LiftedPause(Shape):
    """The pause that was ended; `tasks` waited for its end and are due now."""

    provider: str
    tasks: int = Field(ge=0)

    @classmethod
    def of(cls, pause: Pause, tasks: int) -> Self:
        """The shape of a pause that is over."""
        return cls(provider=pause.provider, tasks=tasks)
