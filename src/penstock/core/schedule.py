"""Schedules: what runs by itself, and how often."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Submit a run of this kind every `interval_s`, the first `first_after_s` after it was made; `name` is its job name."""

    name: str
    kind: str
    interval_s: int
    params: Mapping[str, object]
    first_after_s: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticked:
    """What one claim of due schedules did.

    `skipped` names those whose resources are all busy, `failed` those that could not be submitted, with the reason; all of them come again in
    their next turn. `next_in_s` is the wait for the next due time.
    """

    submitted: Sequence[str]
    skipped: Sequence[str]
    next_in_s: float | None
    failed: Mapping[str, str] = field(default_factory=dict)


class Schedules(Protocol):
    """Where schedules are kept."""

    async def tick(self, most: int) -> Ticked:
        """Claim up to `most` due schedules and submit their runs, in one transaction."""
