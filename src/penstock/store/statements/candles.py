"""The candle merge: one statement per database, which writes only what is new or different.

An open candle may become closed or a newer open one, never the reverse. A newer open candle has at
least as many trades, if the source counts them. A closed candle that differs is written too; the
trigger `candle_restated` keeps the old values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.market.candle import Candle

if TYPE_CHECKING:
    from collections.abc import Callable

_VALUES = Candle.__struct_fields__[1:]
EXACT_COLUMNS = tuple(name for name in _VALUES if name not in {"close_time", "trades"})
COLUMNS = ("series_id", *Candle.__struct_fields__, "closed", "run_id")


def on_conflict(differs: Callable[[str], str]) -> str:
    """The clause after `INSERT INTO candle …`; `differs` compares a column's old and new value."""
    assign = ", ".join(f"{name} = excluded.{name}" for name in (*_VALUES, "closed", "run_id"))
    changed = " OR ".join(differs(name) for name in _VALUES)
    newer = "candle.closed OR coalesce(excluded.trades >= candle.trades, true)"
    return f"""ON CONFLICT (series_id, open_time) DO UPDATE SET {assign}
        WHERE excluded.closed > candle.closed
        OR (excluded.closed = candle.closed AND ({newer}) AND ({changed}))"""
