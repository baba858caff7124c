"""What differs between the databases."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol

from sqlalchemy import event

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, Engine

    from penstock.core.run import Counters, Run
    from penstock.market.page import CandlePage


class Statements:
    """Counts the statements sent. BEGIN, COMMIT and what sets up a connection are not among them."""

    def __init__(self) -> None:
        self.count = 0
        self._lock = threading.Lock()

    def watch(self, engine: Engine) -> None:
        """Count what goes through this engine."""

        @event.listens_for(engine, "before_cursor_execute")
        def sent(_connection: object, _cursor: object, statement: str, *_: object) -> None:
            if not statement.startswith("BEGIN"):
                self.add()

    def add(self) -> None:
        """One more."""
        with self._lock:
            self.count += 1


class Backend(Protocol):
    """One kind of database: its connections and its bulk way of writing candles."""

    writer: Engine
    reader: Engine
    statements: Statements

    def migration_lock(self, connection: Connection) -> None:
        """Let no other process migrate until the transaction ends."""

    def merge_candles(self, connection: Connection, run: Run, pages: Sequence[CandlePage], asked: Counters) -> Counters:
        """Write the rows and add them, with the refused rows and requests of `asked`, to the run's counters.

        Gives the sum. FencedError when the run was taken over.
        """
