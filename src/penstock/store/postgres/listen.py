"""What PostgreSQL tells all processes: the messages of its channel, as events.

`run 17`, `queue` and `cancel 17` come from a trigger on the run table, `stored candle 3 4 5` (ids
of series) from the merge, `lifted binance`, `alerts` and `configs` from those who write them; all
arrive after the commit.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import psycopg

from penstock.loop import Outage
from penstock.runs.events import (
    AlertsChanged,
    CancelAsked,
    ConfigsChanged,
    EventsLost,
    PauseLifted,
    ProviderPaused,
    QueueChanged,
    RowsStored,
    RunChanged,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from sqlalchemy import URL

    from penstock.runs.events import Event, Events

_CHANNEL = "penstock"
# PostgreSQL takes 8,000 bytes; beyond this a reader is told to look at everything.
_MOST_BYTES = 7_000
_RECONNECT_S = 1.0


def stored_message(table: str, part_ids: Collection[int]) -> str:
    """The message that rows of these parts of a table were stored."""
    message = f"stored {table} {' '.join(map(str, sorted(part_ids)))}"
    return message if len(message) <= _MOST_BYTES else "lost"


def read_message(message: str) -> Iterator[Event]:
    """The events of a message; one that is not ours counts as a loss."""
    match message.split():
        case ["run", number] if _is_id(number):
            yield RunChanged(int(number))
        case ["queue"]:
            yield QueueChanged()
        case ["cancel", number] if _is_id(number):
            yield CancelAsked(int(number))
        case ["paused"]:
            yield ProviderPaused()
        case ["lifted", *words]:
            yield PauseLifted(" ".join(words))
        case ["alerts"]:
            yield AlertsChanged()
        case ["configs"]:
            yield ConfigsChanged()
        case ["stored", table, *numbers] if all(map(_is_id, numbers)):
            yield from (RowsStored(table, int(number)) for number in numbers)
        case _:
            yield EventsLost()


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdecimal()


async def listen(url: URL, events: Events, ready: asyncio.Event) -> None:
    """Publish what the database tells, until cancelled.

    After a lost connection subscribers are told that they may have missed something.
    `ready` is set once nothing more can be missed.
    """
    conninfo = url.set(drivername="postgresql").render_as_string(hide_password=False)
    outage = Outage("the database cannot be listened to", "the database is listened to again")
    while True:
        try:
            # Who only listens notices a dead network by keepalives alone.
            async with await psycopg.AsyncConnection.connect(
                conninfo,
                autocommit=True,
                connect_timeout=5,
                keepalives_idle=10,
                keepalives_interval=5,
                keepalives_count=3,
            ) as connection:
                await connection.execute(f"LISTEN {_CHANNEL}")
                outage.ended()
                events.publish(EventsLost())
                ready.set()
                async for notice in connection.notifies():
                    events.publish(*read_message(notice.payload))
        except (psycopg.Error, OSError) as error:
            outage.began(str(error).strip())
            await asyncio.sleep(_RECONNECT_S)
