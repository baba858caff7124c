"""Ctrl-C and SIGTERM: they end a command in order, with its run cancelled and all files closed."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from penstock.process import prepare_to_serve

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

T = TypeVar("T")

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_SIGNAL_CODES = 128


def run(work: Coroutine[Any, Any, T]) -> T:
    """The result of the work.

    A signal cancels it and sets the exit code, 130 (Ctrl-C) or 143 (SIGTERM). A second signal ends
    the process at once.
    """
    received: list[signal.Signals] = []

    async def cancellable() -> T:
        task = asyncio.current_task()

        def end(number: signal.Signals) -> None:
            received.append(number)
            if task is not None:
                task.cancel()

        with _handled_once(end):
            return await work

    try:
        return asyncio.run(cancellable())
    except asyncio.CancelledError:
        raise typer.Exit(_SIGNAL_CODES + (received or [signal.SIGINT])[0]) from None


async def until_signal() -> None:
    """Wait for the signal that ends a service; ending by it is a success."""
    prepare_to_serve()
    signalled = asyncio.Event()
    with _handled_once(lambda _: signalled.set()):
        await signalled.wait()


@contextlib.contextmanager
def _handled_once(end: Callable[[signal.Signals], None]) -> Iterator[None]:
    loop = asyncio.get_running_loop()

    def leave() -> None:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)

    def handle(number: signal.Signals) -> None:
        leave()
        end(number)

    for number in _SIGNALS:
        loop.add_signal_handler(number, handle, number)
    try:
        yield
    finally:
        leave()
