"""The table of API tokens. Only `penstock.store` writes it."""

from __future__ import annotations

from sqlalchemy import Column, Integer, Table, Text

from penstock.columns import Timestamp, metadata

# `digest` is the SHA-256 of the token, which itself is not stored.
api_token = Table(
    "api_token",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("digest", Text, nullable=False, unique=True),
    Column("scope", Text, nullable=False),
    Column("created_at", Timestamp, nullable=False),
    Column("expires_at", Timestamp),
    Column("last_used_at", Timestamp),
    Column("revoked_at", Timestamp),
)
