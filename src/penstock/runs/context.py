"""The context of a run: the one way in which its work writes, while the run is its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from penstock.runs.run import Counters

if TYPE_CHECKING:
    import uuid
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy import Connection, Table

    from penstock.runs.run import Run, Submission, Work

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Shown:
    """The progress of a run: 0 to 100, as a sentence, and in its own units."""

    percent: int
    message: str
    work: Work | None = None


@dataclass
class Writing(ABC):
    """One transaction of a run: what `connection` writes, and what is recorded with it."""

    connection: Connection
    run: Run
    counters: Counters = field(default_factory=Counters)
    shown: Shown | None = None
    records: Counter[str] = field(default_factory=Counter)

    def count(self, counters: Counters) -> None:
        """Add to the run's counters."""
        self.counters += counters

    def log(self, records: Mapping[str, int]) -> None:
        """Add rows to the run's execution log, by symbol."""
        self.records.update(records)

    def show(self, shown: Shown) -> None:
        """Say how far the run is."""
        self.shown = shown

    @abstractmethod
    def merge(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> Counters:
        """Write rows to a table by its primary key, and count them.

        New ones are added, different ones changed, equal ones left alone.
        All rows have the same columns; of rows with one key the last one counts.
        """


class Transaction(Protocol):
    """Runs a change on a connection in a separate transaction."""

    async def __call__(self, change: Callable[[Connection], T], /) -> T:
        """What the change gives, after its commit."""


class RunWriter(Protocol):
    """What a context needs of the ledger; `within` and `hurried` are those of RunContext.write."""

    async def write(
        self,
        run: Run,
        change: Callable[[Writing], T],
        *,
        within: Transaction | None = None,
        hurried: bool = True,
    ) -> T:
        """What the change gives, once it is committed with what it adds to the run's record."""

    async def submit(self, submission: Submission, *, by: Run | None = None) -> uuid.UUID:
        """Record a queued run and claim its resources in one transaction.

        ConflictError names the run that holds one of them. `by` is the run that submits it.
        """


class RunContext:
    """What the work of a run gets: the run, and the one way to change the database on its behalf.

    Each method raises FencedError and changes nothing when another worker has the run by now.
    """

    def __init__(self, run: Run, writer: RunWriter) -> None:
        self.run = run
        self._writer = writer

    async def write(
        self,
        change: Callable[[Writing], T],
        *,
        within: Transaction | None = None,
        hurried: bool = True,
    ) -> T:
        """What `change` gives, in one transaction with the count of requests sent meanwhile.

        `within` is a transaction on a connection of its own. One that is not `hurried` has no
        deadline.
        """
        requests = self.run.requests
        sent = requests.unrecorded
        # Two may write at the same time, and each request counts once.
        requests.recorded += sent

        def counted(writing: Writing) -> T:
            writing.count(Counters(requests=sent))
            return change(writing)

        try:
            return await self._writer.write(self.run, counted, within=within, hurried=hurried)
        except Exception:
            requests.recorded -= sent
            raise

    async def show(self, shown: Shown) -> None:
        """Say how far the run is."""
        await self.write(lambda writing: writing.show(shown))

    async def submit(self, submission: Submission) -> uuid.UUID:
        """Submit a further run; ConflictError names the run that holds what it wants."""
        return await self._writer.submit(submission, by=self.run)
