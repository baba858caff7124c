"""A run ledger whose calls can be made to fail, before or after they did their work."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import uuid
    from collections.abc import Awaitable, Callable

    from penstock.runs.context import Writing
    from penstock.runs.run import Run, RunEnd, RunState, Submission
    from penstock.store.write.runs import SqlRunLedger

T = TypeVar("T")


@dataclass
class FaultyLedger:
    """`errors` holds what the next calls of a method raise; `unheard` those of which only the answer is lost."""

    inner: SqlRunLedger
    errors: dict[str, list[BaseException]] = field(default_factory=dict)
    unheard: dict[str, list[BaseException]] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    after_take: Callable[[], Awaitable[None]] | None = None

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

    async def take(self, count: int, *, task_id: uuid.UUID | None = None) -> list[Run]:
        self._fail("take")
        taken = await self.inner.take(count, task_id=task_id)
        if self.after_take is not None and taken:
            await self.after_take()
        return taken

    async def heartbeat(self, run: Run) -> bool:
        self._fail("heartbeat")
        return await self.inner.heartbeat(run)

    async def finish(self, run: Run, end: RunEnd) -> None:
        self._fail("finish")
        await self.inner.finish(run, end)
        self._lose("finish")

    async def requeue(self, run: Run, *, error: str | None, delay_s: float) -> None:
        self._fail("requeue")
        await self.inner.requeue(run, error=error, delay_s=delay_s)
        self._lose("requeue")

    async def cancel(self, task_id: uuid.UUID) -> RunState:
        return await self.inner.cancel(task_id)
