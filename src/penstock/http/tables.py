"""The table of the providers' budgets. Only `penstock.store` writes it."""

from __future__ import annotations

from sqlalchemy import Column, Integer, Table, Text

from penstock.columns import Timestamp, metadata

# What all processes have used of a provider's limit in the current window, and its pause.
provider_budget = Table(
    "provider_budget",
    metadata,
    Column("provider", Text, primary_key=True),
    Column("window_start", Timestamp, nullable=False),
    Column("used", Integer, nullable=False),
    Column("paused_until", Timestamp, nullable=False),
)
