"""The tables of what is collected by itself. Only `penstock.store` writes them."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Integer, Table, Text, UniqueConstraint

from penstock.columns import Json, Timestamp, metadata

# What is collected by itself, and how often; the schedule of the same name as `job_id` is made, changed and removed with it.
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
    # A job's name is never another config's: its execution logs outlive it.
    sqlite_autoincrement=True,
)
