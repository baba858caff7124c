"""Ctrl-C and SIGTERM: they end a command in order, with its run cancelled and all files closed.

An end takes less than 10 s. What still waits then, such as for a locked database, is cut as by
`kill -9`: its transactions roll back, and its runs go back or are taken over.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
import threading
import time
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from penstock.cli.shown.terminal import err
from penstock.process import prepare_to_serve

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

T = TypeVar("T")

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_SIGNAL_CODES = 128
_IN_ORDER_S, _BY_FORCE_S = 8.5, 9.2
# For threads that are left over; nothing waits for what they do.
_THREADS_S = 1.0
_CUT = b"penstock: something still waits (for the database, perhaps); it is cut and rolled back\n"
_ended_in_order = threading.Event()


def run(work: Coroutine[Any, Any, T]) -> T:
    """The result of the work.

    A signal cancels it and sets the exit code, 130 (Ctrl-C) or 143 (SIGTERM). A second signal ends
    the process at once.
    """
    received: list[int] = []

    async def cancellable() -> T:
        task = asyncio.current_task()

        def end(number: int) -> None:
            received.append(number)
            if task is not None:
                task.cancel()

        try:
            with _handled_once(end, code_of=lambda number: _SIGNAL_CODES + number):
                return await work
        finally:
            _ended_in_order.set()

    _ended_in_order.clear()
    try:
        return asyncio.run(cancellable())
    except asyncio.CancelledError:
        raise typer.Exit(_SIGNAL_CODES + (received or [signal.SIGINT])[0]) from None


async def until_signal(started: str) -> None:
    """Print `started`, and wait for the signal that ends a service; ending by it is a success."""
    prepare_to_serve()
    signalled = asyncio.Event()
    with _handled_once(lambda _: signalled.set(), code_of=lambda _: 0):
        err.print(started)
        await signalled.wait()


@contextlib.contextmanager
def _handled_once(end: Callable[[int], None], *, code_of: Callable[[int], int]) -> Iterator[None]:
    """Call `end` on a signal; `code_of` gives the exit code of an end in order.

    These are handlers of the process, not of the loop, which may be in the middle of something.
    Only one call of C has to return first.
    """
    loop = asyncio.get_running_loop()

    def leave() -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def handle(number: int, _frame: object) -> None:
        leave()
        _limit_the_end(number, code_of(number))
        loop.call_soon_threadsafe(end, number)

    for number in _SIGNALS:
        signal.signal(number, handle)
    try:
        yield
    finally:
        leave()


def _limit_the_end(number: int, code: int) -> None:
    """End this process in time, whatever it waits for."""
    # A thread has words, but no turn beside one long call of C; the alarm needs none.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, _BY_FORCE_S)
    threading.Thread(target=_cut, args=[number, code], name="end", daemon=True).start()


def _cut(number: int, code: int) -> None:
    if _ended_in_order.wait(_IN_ORDER_S):
        time.sleep(_THREADS_S)
        os._exit(code)
    # The reader of our output may be what we wait for.
    with contextlib.suppress(OSError, ValueError):
        if select.select([], [2], [], 0)[1]:
            os.write(2, _CUT)
    os._exit(_SIGNAL_CODES + number)
