"""The tables of alerts. Only `penstock.store` writes them."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, Table, Text, true

from penstock.columns import BigId, Json, Timestamp, metadata, required

# `url` (of a webhook or of Apprise, possibly with a password) and `signing_key` are encrypted;
# `shown` is the part of the address without secrets.
alert_target = Table(
    "alert_target",
    metadata,
    Column("id", Integer, primary_key=True),
    required("name", Text, unique=True),
    required("kind", Text),
    required("shown", Text),
    required("url", Text),
    Column("signing_key", Text),
    required("enabled", Boolean, server_default=true()),
    required("created_at", Timestamp),
)

# The state of each rule for each subject for which it ever fired.
alert = Table(
    "alert",
    metadata,
    Column("rule", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    required("state", Text),
    required("message", Text),
    required("since", Timestamp),
    required("seen_at", Timestamp),
    Column("notified_at", Timestamp),
)

# One row: the time of the last evaluation. The process whose conditional update advances it
# evaluates.
alert_look = Table(
    "alert_look",
    metadata,
    Column("id", Integer, primary_key=True),
    required("looked_at", Timestamp),
)

# Messages, written in the transaction that changes the state.
alert_message = Table(
    "alert_message",
    metadata,
    Column("id", BigId, primary_key=True),
    required("target_id", Integer, ForeignKey("alert_target.id", ondelete="CASCADE"), index=True),
    required("body", Json),
    required("attempt", Integer, server_default="0"),
    required("created_at", Timestamp),
    required("next_try_at", Timestamp),
    Column("sent_at", Timestamp),
    Column("error", Text),
    Index("alert_message_due", "sent_at", "next_try_at"),
)
