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

from penstock.columns import BigId, Exact, Timestamp, metadata

instrument = Table(
    "instrument",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("exchange", Text, nullable=False),
    Column("market", Text, nullable=False),
    Column("native_symbol", Text, nullable=False),
    Column("base", Text, nullable=False),
    Column("quote", Text, nullable=False),
    Column("symbol", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("seen_at", Timestamp, nullable=False),
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
    Column("instrument_id", Integer, ForeignKey("instrument.id"), nullable=False),
    Column("timeframe", Text, nullable=False),
    # What the candles are of: last (trades), mark, index or premium.
    Column("price_kind", Text, nullable=False, server_default="last"),
    UniqueConstraint("instrument_id", "price_kind", "timeframe"),
)


def _candle_values() -> list[Column[Any]]:
    """The columns of one candle besides its key, and the run that wrote it."""
    return [
        Column("close_time", Timestamp, nullable=False),
        Column("open", Exact, nullable=False),
        Column("high", Exact, nullable=False),
        Column("low", Exact, nullable=False),
        Column("close", Exact, nullable=False),
        Column("volume", Exact),
        Column("quote_volume", Exact),
        Column("taker_base", Exact),
        Column("taker_quote", Exact),
        Column("trades", BigInteger),
        Column("run_id", BigInteger, nullable=False),
    ]


# Lean, and clustered by its key; what a source does not send is NULL. No foreign key: PostgreSQL
# would check it row by row, and series are never deleted alone.
candle = Table(
    "candle",
    metadata,
    Column("series_id", Integer, primary_key=True),
    Column("open_time", Timestamp, primary_key=True),
    *_candle_values(),
    Column("closed", Boolean, nullable=False),
    sqlite_with_rowid=False,
)

# Points in time of a contract, without a grid.
funding_rate = Table(
    "funding_rate",
    metadata,
    Column("instrument_id", Integer, ForeignKey("instrument.id"), primary_key=True),
    Column("time", Timestamp, primary_key=True),
    Column("rate", Exact, nullable=False),
    Column("mark_price", Exact),
    Column("run_id", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

open_interest = Table(
    "open_interest",
    metadata,
    Column("instrument_id", Integer, ForeignKey("instrument.id"), primary_key=True),
    Column("time", Timestamp, primary_key=True),
    Column("amount", Exact, nullable=False),
    Column("value", Exact),
    Column("run_id", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# How far the exchange's clock was last ahead of the database's: due times and ages go by it.
exchange_clock = Table(
    "exchange_clock",
    metadata,
    Column("exchange", Text, primary_key=True),
    Column("ahead_ms", BigInteger, nullable=False),
    Column("looked_at", Timestamp, nullable=False),
)

coverage = Table(
    "coverage",
    metadata,
    Column("series_id", Integer, ForeignKey("series.id"), primary_key=True),
    Column("start_time", Timestamp, primary_key=True),
    Column("end_time", Timestamp, nullable=False),
    Column("state", Text, nullable=False),
    Column("run_id", BigInteger, nullable=False),
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
    Column("series_id", Integer, ForeignKey("series.id"), nullable=False),
    Column("digest", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("raw", Text, nullable=False),
    Column("open_time", BigInteger),
    Column("run_id", BigInteger, nullable=False),
    Column("seen", Integer, nullable=False, server_default="1"),
    Column("seen_at", Timestamp, nullable=False),
    UniqueConstraint("series_id", "digest"),
)

# The trigger on `candle` (penstock.store.schema) fills it with the old values of closed candles.
restatement = Table(
    "restatement",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("series_id", Integer, nullable=False),
    Column("open_time", Timestamp, nullable=False),
    *_candle_values(),
    Column("reason", Text, nullable=False),
    Column("restated_by", BigInteger, nullable=False),
    Column("restated_at", Timestamp, nullable=False),
    Index("restatement_candle", "series_id", "open_time"),
    Index("restatement_at", "restated_at"),
)
