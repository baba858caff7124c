"""Series as one looks for them: the newest price, where it came from, and how complete they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from penstock.columns import if_given
from penstock.market.queries.candles import newest_candles
from penstock.market.queries.coverage import completeness
from penstock.market.queries.instruments import says
from penstock.market.queries.series import SERIES_NAMES, select_series
from penstock.market.tables import instrument, series

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from penstock.market.queries.candles import StoredCandle

# Closes of each series: enough to see a direction.
_CLOSES = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesSearch:
    """Which series; `part` is a part of a symbol, with or without its slash, in any ASCII case."""

    part: str | None = None
    exchange: str | None = None
    timeframe: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentSeries:
    """A series with its newest candle: `price` is its close, and `closes` end with it.

    All of them are None or empty for a series without candles; `complete` is in percent.
    """

    id: int
    exchange: str
    symbol: str
    native_symbol: str
    timeframe: str
    price: str | None
    newest: int | None
    closed: bool | None
    closes: Sequence[str]
    complete: float | None


def recent_series(
    connection: Connection, wanted: SeriesSearch, *, after_id: int, limit: int
) -> list[RecentSeries]:
    """Series after `after_id`, by id."""
    listed = select_series(series.c.id, *SERIES_NAMES).where(
        series.c.id > after_id,
        if_given(instrument.c.exchange, wanted.exchange),
        if_given(series.c.timeframe, wanted.timeframe),
    )
    if wanted.part is not None:
        listed = listed.where(says(connection, wanted.part))
    rows = connection.execute(listed.order_by(series.c.id).limit(limit)).all()
    ids = [row.id for row in rows]
    newest = newest_candles(connection, ids, _CLOSES)
    complete = completeness(connection, ids)
    return [
        RecentSeries(**row._asdict(), **_newest(newest[row.id]), complete=complete[row.id])
        for row in rows
    ]


def _newest(candles: Sequence[StoredCandle]) -> dict[str, Any]:
    """What these candles of a series end with."""
    if not candles:
        return {"price": None, "newest": None, "closed": None, "closes": []}
    last = candles[-1]
    closes = [one.close for one in candles]
    return {"price": last.close, "newest": last.open_time, "closed": last.closed, "closes": closes}
