"""Processes for the tests of kill -9: each collects, and prints the report of each flush.

For each line of input, `DATABASE EXCHANGE SINCE SYMBOL,SYMBOL,… MOMENT`, this process forks one
that has everything imported already, so that a kill costs milliseconds and no start of Python. It
prints `pid N`, and `halted` at the moment (see `halting`); after its end this process prints
`ended STATUS`.
"""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from penstock.app import open_app
from penstock.domains.market import MarketParts
from penstock.logs import log_to_stderr
from penstock.market.runs.orders import CollectOrder
from penstock.script import collect_into
from penstock.settings import load_settings
from penstock.store.write.candles import SqlCandleStore
from tests.faults.halting import halt_at_commit

if TYPE_CHECKING:
    from penstock.market.collect.page import CandleFlush, Flushed
    from penstock.runs.context import RunContext

# As many as a page has: each page is a flush.
_FLUSH_ROWS = 1_000


async def collect(database_url: str, exchange_url: str, since: int, symbols: list[str]) -> None:
    settings = load_settings(
        database_url=database_url, binance_url=exchange_url, binance_weight_per_minute=1_000_000
    )
    order = CollectOrder(symbols=symbols, timeframes=["1m"], since=since)
    async with open_app(settings) as app:
        app.of(MarketParts).runs._options = replace(
            app.of(MarketParts).runs._options, flush_rows=_FLUSH_ROWS
        )
        say("open")
        app.of(MarketParts).runs._store = Telling(app.database)
        await collect_into(app, order)


class Telling(SqlCandleStore):
    """Reports after each flush how much is written."""

    written = 0

    async def flush(self, context: RunContext, flush: CandleFlush) -> Flushed:
        flushed = await super().flush(context, flush)
        self.written += flushed.counters.written
        say(f"written {self.written}")
        return flushed


def say(words: str) -> None:
    """Print a line in one write, so that it leaves this process at once."""
    os.write(1, f"{words}\n".encode())


def main() -> None:
    log_to_stderr("warning")
    for line in sys.stdin:
        database_url, exchange_url, since, symbols, moment = line.split()
        child = os.fork()
        if not child:
            say(f"pid {os.getpid()}")
            halt_at_commit(moment)
            asyncio.run(collect(database_url, exchange_url, int(since), symbols.split(",")))
            os._exit(0)
        say(f"ended {os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}")


if __name__ == "__main__":
    main()
