"""The run loop: work on a run while its heart beats, and record its outcome, in this one place."""

from __future__ import annotations

import asyncio
import contextlib
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import structlog

from penstock.errors import (
    FencedError,
    PenstockError,
    RateLimitedError,
    RetryableError,
    RunFailedError,
    StoreUnavailableError,
)
from penstock.http.tally import count_requests
from penstock.runs.context import RunContext
from penstock.runs.run import RunEnd, RunState

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from penstock.runs.ledger import RunLedger
    from penstock.runs.run import Run


class Outcome(Protocol):
    """What a run gives when it succeeds."""

    def summary(self) -> Mapping[str, object]:
        """The outcome as the run record keeps it, JSON values only."""


RunWork: TypeAlias = "Callable[[RunContext], Awaitable[Outcome]]"

_log = structlog.stdlib.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerOptions:
    """`attempts` includes the first; a retry waits `retry_s`, doubled each time, with jitter.

    `deadline_s` is for one attempt. Every `heartbeat_s` a run is compared with its record.
    `record_s` is how long an outcome waits for a database that cannot be reached; after that the
    run is left to whoever passes on the runs of the dead.
    """

    heartbeat_s: float = 10.0
    attempts: int = 3
    retry_s: float = 5.0
    deadline_s: float = 6 * 3600.0
    record_s: float = 60.0


# The first check comes soon: it finds a cancellation that was asked for during the start.
_FIRST_CHECK_S = 0.5
_RECORD_AGAIN_S = 0.5
_MOST_CHARS = 4_000


def _figures(summary: Mapping[str, object]) -> dict[str, int]:
    """The numbers of an outcome, and the sizes of its mappings."""
    return {
        name: len(value) if isinstance(value, dict) else value
        for name, value in summary.items()
        if isinstance(value, dict | int)
    }


class Cancelled(Exception):  # noqa: N818 - no error: somebody asked for it
    """The run is to end as cancelled."""


class PutBack(Exception):  # noqa: N818 - no error: the process ends, the run goes on elsewhere
    """The run is to be queued again."""


Interruption: TypeAlias = Cancelled | PutBack


@dataclass(frozen=True, slots=True)
class Ending:
    """How a start of a run ended: by an outcome or by an error, and whether its record says so."""

    by: Outcome | BaseException
    recorded: bool


class Hold:
    """A run in our hands, as seen by those who may end it early; the first one counts."""

    def __init__(self, run_id: int) -> None:
        self.run_id = run_id
        self.interrupted: asyncio.Future[Interruption] = asyncio.get_running_loop().create_future()

    def interrupt(self, why: Interruption) -> None:
        """Stop the work; a page that is being written is written to its end first."""
        if not self.interrupted.done():
            # One of its own for each run: an exception keeps where it was raised.
            self.interrupted.set_result(type(why)())

    def check(self) -> None:
        """Raise the interruption, if there is one."""
        if self.interrupted.done():
            raise self.interrupted.result()


class Runner:
    """Works on runs under a ledger."""

    def __init__(self, ledger: RunLedger, options: RunnerOptions) -> None:
        self._ledger = ledger
        self._options = options
        self._holds: set[Hold] = set()

    def hold(self, run_id: int) -> Hold:
        """Register a run, so that it can be interrupted even before it has begun."""
        hold = Hold(run_id)
        self._holds.add(hold)
        return hold

    def release(self, hold: Hold) -> None:
        """Let go of a run that has ended, or did not begin."""
        self._holds.discard(hold)

    def interrupt(self, run_id: int | None, why: Interruption) -> None:
        """Stop a run (None: all of them) that is in our hands; others are left alone."""
        for hold in list(self._holds):
            if run_id in {None, hold.run_id}:
                hold.interrupt(why)

    async def run(self, run: Run, work: RunWork) -> Outcome:
        """What the work gave, after its outcome was recorded; raises what ended it."""
        ending = await self.settle(run, work, self.hold(run.id))
        if isinstance(ending.by, BaseException):
            raise ending.by
        return ending.by

    async def settle(self, run: Run, work: RunWork, hold: Hold) -> Ending:
        """How the work ended, after that was recorded.

        Whatever ends the work by an error, also one nobody expected, fails the run.
        """
        named = {"run": str(run.task_id), "job": run.job_name or run.kind}
        log = _log.bind(**named, attempt=run.attempt)
        log.debug("run started")
        started = asyncio.get_running_loop().time()
        try:
            with structlog.contextvars.bound_contextvars(**named):
                outcome = await self._while_held(run, work, hold)
            summary = outcome.summary()
            await self._finish(run, RunEnd(state=RunState.SUCCEEDED, result=summary))
        except (KeyboardInterrupt, SystemExit) as error:
            await self._settle(run, error, log)
            raise
        except BaseException as error:  # noqa: BLE001 - it is handed on in the ending
            return Ending(error, await self._settle(run, error, log))
        seconds = round(asyncio.get_running_loop().time() - started, 3)
        log.info("run succeeded", seconds=seconds, result=_figures(summary))
        return Ending(outcome, recorded=True)

    async def _settle(
        self, run: Run, error: BaseException, log: structlog.stdlib.BoundLogger
    ) -> bool:
        """Record how it ended; gives whether that is written.

        When it cannot be written the run is passed on to another start.
        """
        try:
            await self._record_end(run, error, log)
        except FencedError:
            # Who ends a run for a change of its config has recorded that, before asking for it.
            if not isinstance(error, Cancelled):
                log.warning("run was taken over by another worker")
        except Exception as unrecorded:
            # The error of the work must not be hidden by one of the record.
            log.exception("the end of the run could not be recorded", error=str(unrecorded))
        else:
            return True
        return False

    async def _record_end(
        self, run: Run, error: BaseException, log: structlog.stdlib.BoundLogger
    ) -> None:
        text = str(error)[:_MOST_CHARS] or type(error).__name__
        match error:
            case FencedError():
                raise error
            case PutBack():
                log.info("run put back")
                await self._record(lambda: self._ledger.requeue(run, error=None, delay_s=0))
            case Cancelled():
                log.info("run cancelled")
                await self._finish(run, RunEnd(state=RunState.CANCELLED))
            case asyncio.CancelledError() | KeyboardInterrupt():
                # Somebody wants this process to end, and does not wait for a database.
                log.info("run cancelled")
                await self._ledger.finish(run, RunEnd(state=RunState.CANCELLED))
            case RetryableError() if run.attempt < self._options.attempts:
                delay_s = self._retry_after(run, error)
                log.warning("run will be tried again", error=text, in_s=round(delay_s, 1))
                await self._record(lambda: self._ledger.requeue(run, error=text, delay_s=delay_s))
            case _:
                log.error("run failed", error=text, exc_info=not isinstance(error, PenstockError))
                code = error.code if isinstance(error, PenstockError) else PenstockError.code
                end = RunEnd(state=RunState.FAILED, error=text, result={"error_codes": {code: 1}})
                await self._finish(run, end)

    async def _finish(self, run: Run, end: RunEnd) -> None:
        await self._record(lambda: self._ledger.finish(run, end))

    async def _record(self, write: Callable[[], Awaitable[None]]) -> None:
        """Write it as soon as the database can be reached; FencedError after a take-over."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._options.record_s
        while True:
            try:
                await write()
            except StoreUnavailableError:
                if loop.time() + _RECORD_AGAIN_S > until:
                    raise
                await asyncio.sleep(_RECORD_AGAIN_S)
            else:
                return

    def _retry_after(self, run: Run, error: RetryableError) -> float:
        least = error.retry_after_s if isinstance(error, RateLimitedError) else 0.0
        doubled: float = 2.0 ** (run.attempt - 1)
        jitter = random.uniform(0.5, 1.0)  # noqa: S311 - nobody must be unable to guess it
        return least + self._options.retry_s * doubled * jitter

    async def _while_held(self, run: Run, work: RunWork, hold: Hold) -> Outcome:
        """The work's result, unless it is interrupted, taken over or over its deadline first."""
        try:
            hold.check()
            return await self._until_ended(run, work, hold)
        except asyncio.CancelledError:
            # Whoever ends the process interrupts first and then cancels: the first one counts.
            hold.check()
            raise
        finally:
            self.release(hold)

    async def _until_ended(self, run: Run, work: RunWork, hold: Hold) -> Outcome:
        working = asyncio.ensure_future(_counted(RunContext(run, self._ledger), work))
        checking = asyncio.create_task(self._check(run), name=f"check of run {run.id}")
        ending: list[asyncio.Future[Any]] = [working, checking, hold.interrupted]
        try:
            await asyncio.wait(
                ending, timeout=self._options.deadline_s, return_when=asyncio.FIRST_COMPLETED
            )
            if working.done() or await _has_succeeded(working):
                return working.result()
            if checking.done():
                checking.result()
            hold.check()
            raise RunFailedError(f"the run did not end within {self._options.deadline_s:g} s")
        finally:
            working.cancel()
            checking.cancel()
            await asyncio.gather(working, checking, return_exceptions=True)

    async def _check(self, run: Run) -> None:
        """End when the run is to be cancelled, or is another worker's.

        A database that does not answer is no reason to stop: until another worker takes over,
        nothing is lost.
        """
        delay_s = min(_FIRST_CHECK_S, self._options.heartbeat_s)
        while True:
            await asyncio.sleep(delay_s)
            delay_s = self._options.heartbeat_s
            with contextlib.suppress(StoreUnavailableError):
                if await self._ledger.is_to_stop(run):
                    raise Cancelled


async def _counted(context: RunContext, work: RunWork) -> Outcome:
    count_requests(context.run.requests)
    return await work(context)


async def _has_succeeded(working: asyncio.Future[Any]) -> bool:
    """Call the work off; gives whether it succeeded before it could stop."""
    working.cancel()
    await asyncio.wait([working])
    return not working.cancelled() and working.exception() is None
