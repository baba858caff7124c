"""The tables of the market domain. Only `penstock.store` writes them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
)

from penstock.columns import BigId, Exact, Timestamp, metadata, required

instrument = Table(
    "instrument",
    metadata,
    Column("id", Integer, primary_key=True),
    required("exchange", Text),
    required("market", Text),
    required("native_symbol", Text),
    required("base", Text),
    required("quote", Text),
    required("symbol", Text),
    required("status", Text),
    required("seen_at", Timestamp),
    Column("quote_volume_24h", Float),
    # Since when the exchange's list lacks it.
    Column("gone_at", Timestamp),
    UniqueConstraint("exchange", "market", "native_symbol"),
    Index("instrument_symbol", "symbol"),
)

series = Table(
    "series",
    metadata,
    Column("id", Integer, primary_key=True),
    required("instrument_id", Integer, ForeignKey("instrument.id")),
    required("timeframe", Text),
    # What the candles are of: last (trades), mark, index or premium.
    required("price_kind", Text, server_default="last"),
    UniqueConstraint("instrument_id", "price_kind", "timeframe"),
)


def _candle_values() -> list[Column[Any]]:
    """The columns of one candle besides its key, and the run that wrote it."""
    return [
        required("close_time", Timestamp),
        required("open", Exact),
        required("high", Exact),
        required("low", Exact),
        required("close", Exact),
        Column("volume", Exact),
        Column("quote_volume", Exact),
        Column("taker_base", Exact),
        Column("taker_quote", Exact),
        Column("trades", BigInteger),
        required("run_id", BigInteger),
    ]


# Lean, and clustered by its key; what a source does not send is NULL. No foreign key: PostgreSQL
# would check it row by row, and series are never deleted alone.
candle = Table(
    "candle",
    metadata,
    Column("series_id", Integer, primary_key=True),
    Column("open_time", Timestamp, primary_key=True),
    *_candle_values(),
    required("closed", Boolean),
    sqlite_with_rowid=False,
)

# Points in time of a contract, without a grid.
funding_rate = Table(
    "funding_rate",
    metadata,
    Column("instrument_id", Integer, ForeignKey("instrument.id"), primary_key=True),
    Column("time", Timestamp, primary_key=True),
    required("rate", Exact),
    Column("mark_price", Exact),
    required("run_id", BigInteger),
    sqlite_with_rowid=False,
)

open_interest = Table(
    "open_interest",
    metadata,
    Column("instrument_id", Integer, ForeignKey("instrument.id"), primary_key=True),
    Column("time", Timestamp, primary_key=True),
    required("amount", Exact),
    Column("value", Exact),
    required("run_id", BigInteger),
    sqlite_with_rowid=False,
)

# How far the exchange's clock was last ahead of the database's: due times and ages go by it.
exchange_clock = Table(
    "exchange_clock",
    metadata,
    Column("exchange", Text, primary_key=True),
    required("ahead_ms", BigInteger),
    required("looked_at", Timestamp),
)

coverage = Table(
    "coverage",
    metadata,
    Column("series_id", Integer, ForeignKey("series.id"), primary_key=True),
    Column("start_time", Timestamp, primary_key=True),
    required("end_time", Timestamp),
    required("state", Text),
    required("run_id", BigInteger),
    # The evidence of a gap (penstock.market.collect.evidence); stored spans have none.
    Column("asked", Integer),
    Column("first_asked", Timestamp),
    Column("last_asked", Timestamp),
    Column("source", Text),
    Column("due_at", Timestamp),
    # Who imported the rows, if they were not collected.
    Column("origin", Text),
    CheckConstraint("start_time < end_time", name="coverage_not_empty"),
    sqlite_with_rowid=False,
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("id", BigId, primary_key=True),
    required("series_id", Integer, ForeignKey("series.id")),
    required("digest", Text),
    required("reason", Text),
    required("detail", Text),
    required("raw", Text),
    Column("open_time", BigInteger),
    required("run_id", BigInteger),
    required("seen", Integer, server_default="1"),
    required("seen_at", Timestamp),
    UniqueConstraint("series_id", "digest"),
)

# The trigger on `candle` (penstock.store.schema) fills it with the old values of closed candles.
restatement = Table(
    "restatement",
    metadata,
    Column("id", BigId, primary_key=True),
    required("series_id", Integer),
    required("open_time", Timestamp),
    *_candle_values(),
    required("reason", Text),
    required("restated_by", BigInteger),
    required("restated_at", Timestamp),
    Index("restatement_candle", "series_id", "open_time"),
    Index("restatement_at", "restated_at"),
)
