"""The table of the providers' budgets. Only `penstock.store` writes it."""

from __future__ import annotations

from sqlalchemy import Column, Integer, Table, Text

from penstock.columns import Timestamp, metadata, required

# What all processes have used of a provider's limit in the current window, and its pause.
provider_budget = Table(
    "provider_budget",
    metadata,
    Column("provider", Text, primary_key=True),
    required("window_start", Timestamp),
    required("used", Integer),
    required("paused_until", Timestamp),
)
