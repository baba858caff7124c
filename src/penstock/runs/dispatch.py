"""The port to delivery: what brings a queued run to a worker. It delivers; the run's fence decides.

A queued run is delivered as a start token. A token that comes late or twice starts nothing, because
`RunLedger.begin` accepts each start once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractAsyncContextManager

    from sqlalchemy import Connection

    from penstock.runs.executor import Executor


@dataclass(frozen=True, slots=True, kw_only=True)
class StartToken:
    """The permission to make start number `start` of a run, not before `due_at` (ms; None: now)."""

    run_id: int
    start: int
    priority: int = 0
    due_at: int | None = None


@dataclass(frozen=True, slots=True)
class Silence:
    """For how long a worker has said nothing, and for how long it may."""

    silent_s: float
    dead_after_s: float


class Dispatch(Protocol):
    """Brings start tokens to workers. A job is a token in the engine's hands.

    What takes a connection takes part in its transaction, so that a run and its job exist together
    or not at all.
    """

    def put(self, connection: Connection, tokens: Sequence[StartToken]) -> None:
        """Queue the tokens: the best priority first, then in this order."""

    def adopt(self, connection: Connection, token: StartToken) -> int | None:
        """Give the token to this process at once; gives the job's id, if the engine has jobs."""

    def withdraw(self, connection: Connection, job_id: int | None) -> None:
        """Tell the worker of a running run to stop, by the job that it works on."""

    def release(self, connection: Connection, job_id: int) -> None:
        """Delete the job of a start that ends with this transaction."""

    def silence(self, connection: Connection, job_id: int) -> Silence | None:
        """How silent the worker of a job is; None where a worker cannot be dead."""

    def workers(self, connection: Connection) -> int | None:
        """How many processes work on queued runs; None where only this one can."""

    def present(self) -> AbstractAsyncContextManager[None]:
        """While the block runs, vouch for the jobs that this process has adopted."""

    async def run(self, executor: Executor) -> None:
        """Deliver to the executor until cancelled, then let it put back what it is running."""
