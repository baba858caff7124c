"""Restatements: what closed candles said before the exchange changed them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from penstock.market.queries.series import select_series
from penstock.market.tables import instrument, restatement, series

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from penstock.market.queries.gaps import SeriesFilter


class Restated(NamedTuple):
    """The values of a candle until `restated_at` (ms), when a candle with others replaced them."""

    id: int
    exchange: str
    symbol: str
    timeframe: str
    open_time: int
    open: str
    high: str
    low: str
    close: str
    volume: str | None
    reason: str
    restated_at: int


_COLUMNS = (
    restatement.c.id,
    instrument.c.exchange,
    instrument.c.symbol,
    series.c.timeframe,
    *(restatement.c[name] for name in Restated._fields[4:]),
)


def list_restatements(
    connection: Connection, wanted: SeriesFilter, *, before_id: int | None, limit: int
) -> list[Restated]:
    """Restatements of candles that open in the wanted range, the newest first."""
    series_ids = wanted.select(connection, series.c.id)
    found = (
        select_series(*_COLUMNS, rows=restatement)
        .where(restatement.c.series_id.in_(series_ids))
        .order_by(restatement.c.id.desc())
    )
    if wanted.start is not None:
        found = found.where(restatement.c.open_time >= wanted.start)
    if wanted.end is not None:
        found = found.where(restatement.c.open_time < wanted.end)
    if before_id is not None:
        found = found.where(restatement.c.id < before_id)
    rows: Sequence[Any] = connection.execute(found.limit(limit)).all()
    return [Restated(*row) for row in rows]
