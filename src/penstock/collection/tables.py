"""The table of configs. Only `penstock.store` writes it."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Integer, Table, Text, UniqueConstraint

from penstock.columns import Json, Timestamp, metadata, required

# The schedule named `job_id` is added, changed and removed with the config.
collection_config = Table(
    "data_collection_configs",
    metadata,
    Column("id", Integer, primary_key=True),
    required("symbol", Text),
    required("exchange", Text),
    required("timeframes", Json),
    Column("interval_minutes", Integer),
    Column("cron", Text),
    Column("timezone", Text),
    required("enabled", Boolean),
    required("job_id", Text, unique=True),
    Column("description", Text),
    required("created_at", Timestamp),
    required("updated_at", Timestamp),
    UniqueConstraint("exchange", "symbol"),
    # Job names are never reused: their execution logs outlive the config.
    sqlite_autoincrement=True,
)
