"""The tables of what all processes together ask providers for. Only `penstock.store` writes them."""

from __future__ import annotations

from sqlalchemy import Column, Integer, Table, Text

from penstock.columns import Timestamp, metadata

# What all processes together have used of a provider's limit in the running minute, and how long it told us to wait.
provider_budget = Table(
    "provider_budget",
    metadata,
    Column("provider", Text, primary_key=True),
    Column("window_start", Timestamp, nullable=False),
    Column("used", Integer, nullable=False),
    Column("paused_until", Timestamp, nullable=False),
)
