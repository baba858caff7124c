"""A run ledger whose calls can fail, before or after their work."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import uuid
    from collections.abc import Awaitable, Callable, Sequence

    from penstock.runs.context import Writing
    from penstock.runs.run import Run, RunEnd, RunState, Submission
    from penstock.store.write.runs.ledger import SqlRunLedger

T = TypeVar("T")


@dataclass
class FaultyLedger:
    """`errors` are raised by the next calls of a method; with `unheard` only the answer is lost."""

    inner: SqlRunLedger
    errors: dict[str, list[BaseException]] = field(default_factory=dict)
    unheard: dict[str, list[BaseException]] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    after_begin: Callable[[], Awaitable[None]] | None = None

    def _fail(self, method: str) -> None:
        self.calls[method] += 1
        if self.errors.get(method):
            raise self.errors[method].pop(0)

    def _lose(self, method: str) -> None:
        if self.unheard.get(method):
            raise self.unheard[method].pop(0)

    async def submit(self, submission: Submission, *, by: Run | None = None) -> uuid.UUID:
        return await self.inner.submit(submission, by=by)

    async def write(self, run: Run, change: Callable[[Writing], T], **given: Any) -> T:
        return await self.inner.write(run, change, **given)

    async def take(self, count: int) -> list[Run]:
        self._fail("begin")
        taken = await self.inner.take(count)
        if self.after_begin is not None and taken:
            await self.after_begin()
        return taken

    async def begin(self, run_id: int, start: int, job_id: int) -> Run | None:
        self._fail("begin")
        begun = await self.inner.begin(run_id, start, job_id)
        if self.after_begin is not None and begun:
            await self.after_begin()
        return begun

    async def is_to_stop(self, run: Run) -> bool:
        self._fail("is_to_stop")
        return await self.inner.is_to_stop(run)

    async def finish(self, run: Run, end: RunEnd) -> None:
        self._fail("finish")
        await self.inner.finish(run, end)
        self._lose("finish")

    async def requeue(self, run: Run, *, error: str | None, delay_s: float) -> None:
        self._fail("requeue")
        await self.inner.requeue(run, error=error, delay_s=delay_s)
        self._lose("requeue")

    async def put_back(self, forgotten: Sequence[Run]) -> int:
        return await self.inner.put_back(forgotten)

    async def sweep(self) -> None:
        await self.inner.sweep()

    async def cancel(self, task_id: uuid.UUID) -> RunState:
        return await self.inner.cancel(task_id)
