"""The table of API tokens. Only `penstock.store` writes it."""

from __future__ import annotations

from sqlalchemy import Column, Integer, Table, Text

from penstock.columns import Timestamp, metadata, required

# `digest` is the SHA-256 of the token, which itself is not stored.
api_token = Table(
    "api_token",
    metadata,
    Column("id", Integer, primary_key=True),
    required("name", Text),
    required("digest", Text, unique=True),
    required("scope", Text),
    required("created_at", Timestamp),
    Column("expires_at", Timestamp),
    Column("last_used_at", Timestamp),
    Column("revoked_at", Timestamp),
)
