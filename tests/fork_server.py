"""Starts programs of this checkout without starting Python: `python -m tests.fork_server SOCKET`.

It imports their modules and forks a process for each `Order` that arrives over its socket, as JSON
with the three files of the process. It answers with a line for the pid and, at the end, one for the
status. The forked process has its own arguments, environment, folder and files, and ends like any
program. The modules of the command line are not imported in advance, because they read the
environment. The server ends with its standard input.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import sys
from typing import TYPE_CHECKING, TextIO, TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_IMPORTED = (
    "alembic.command",
    "penstock.api.server",
    "penstock.script",
    "penstock.simulator.server",
    "penstock.store.postgres.listen",
    "penstock.store.postgres.engine",
    "penstock.store.sqlite.engine",
    "rich.progress",
    "rich.table",
    "sqlalchemy.dialects.postgresql.psycopg",
    "sqlalchemy.dialects.sqlite",
    "typer.main",
    "typer.rich_utils",
    "yaml",
)
_MAX_ORDER_BYTES = 1_000_000


class Order(TypedDict):
    """What to start: `words` begin with `penstock` or are Python's (a file, -c TEXT, -m MODULE)."""

    words: Sequence[str]
    environment: Mapping[str, str]
    folder: str
    own_session: bool


def main() -> None:
    routes = importlib.import_module("penstock.api.routes.index")
    for name in (*_IMPORTED, *(f"penstock.api.routes.{module}" for module in routes.EVERY)):
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(sys.argv[1])
        listener.listen(128)
        os.write(1, b"ready\n")
        while listener in select.select([listener, sys.stdin], [], [])[0]:
            if (order := _accepted(listener)) is not None:
                break
        else:
            return
    _run(order)


def _accepted(listener: socket.socket) -> Order | None:
    """The order in the forked process, None in this one."""
    connection, _ = listener.accept()
    with connection:
        if os.fork():
            return None
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        data, files, _, _ = socket.recv_fds(connection, _MAX_ORDER_BYTES, 3)
        order: Order = json.loads(data)
        if (pid := os.fork()) == 0:
            _become(order, files)
            return order
        # Only a parent can wait for the process, and the client is not its parent.
        for file in files:
            os.close(file)
        with contextlib.suppress(BrokenPipeError):
            connection.sendall(f"{pid}\n".encode())
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            connection.sendall(f"{status}\n".encode())
        os._exit(0)


def _become(order: Order, files: Sequence[int]) -> None:
    """Switch to the session, files, environment and folder of the order."""
    if order["own_session"]:
        os.setsid()
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(order["environment"])
    os.chdir(order["folder"])
    # As on a terminal, regardless of how the tests were started.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - open until the end
    sys.stdout = _written(1)
    sys.stderr = _written(2)


def _written(number: int) -> TextIO:
    # As Python opens them: line-buffered for a terminal and standard error, strict for the rest.
    encoding, _, errors = os.environ.get("PYTHONIOENCODING", "").partition(":")
    errors = "backslashreplace" if number == 2 else errors or "strict"
    return open(
        number,
        "w",
        encoding=encoding or "utf-8",
        errors=errors,
        buffering=1 if number == 2 or os.isatty(number) else -1,
        closefd=False,
    )


def _run(order: Order) -> None:
    match order["words"]:
        case ["penstock", *words]:
            sys.argv = ["penstock", *words]
            # As pip's script: with a package, usage lines would say `python -m …`.
            sys.modules["__main__"].__package__ = None
            importlib.import_module("penstock.__main__").main()
        case ["-c", text, *words]:
            sys.argv = ["-c", *words]
            exec(compile(text, "<string>", "exec"), {"__name__": "__main__"})  # noqa: S102
        case ["-m", module, *words]:
            sys.argv = [module, *words]
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        case [path, *words]:
            sys.argv = [path, *words]
            runpy.run_path(path, run_name="__main__")


if __name__ == "__main__":
    main()
