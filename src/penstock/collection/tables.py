"""The table of configs. Only `penstock.store` writes it."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Integer, Table, Text, UniqueConstraint

from penstock.columns import Json, Timestamp, metadata

# The schedule named `job_id` is added, changed and removed with the config.
collection_config = Table(
    "data_collection_configs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("symbol", Text, nullable=False),
    Column("exchange", Text, nullable=False),
    Column("timeframes", Json, nullable=False),
    Column("interval_minutes", Integer),
    Column("cron", Text),
    Column("timezone", Text),
    Column("enabled", Boolean, nullable=False),
    Column("job_id", Text, nullable=False, unique=True),
    Column("description", Text),
    Column("created_at", Timestamp, nullable=False),
    Column("updated_at", Timestamp, nullable=False),
    UniqueConstraint("exchange", "symbol"),
    # Job names are never reused: their execution logs outlive the config.
    sqlite_autoincrement=True,
)
