"""The tables of alerts. Only `penstock.store` writes them."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, Table, Text, true

from penstock.columns import BigId, Json, Timestamp, metadata

# `url` (of a webhook or of Apprise, possibly with a password) and `signing_key` are encrypted;
# `shown` is the part of the address without secrets.
alert_target = Table(
    "alert_target",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("shown", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("signing_key", Text),
    Column("enabled", Boolean, nullable=False, server_default=true()),
    Column("created_at", Timestamp, nullable=False),
)

# The state of each rule for each subject for which it ever fired.
alert = Table(
    "alert",
    metadata,
    Column("rule", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("since", Timestamp, nullable=False),
    Column("seen_at", Timestamp, nullable=False),
    Column("notified_at", Timestamp),
)

# One row: the time of the last evaluation. The process whose conditional update advances it
# evaluates.
alert_look = Table(
    "alert_look",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("looked_at", Timestamp, nullable=False),
)

# Messages, written in the transaction that changes the state.
alert_message = Table(
    "alert_message",
    metadata,
    Column("id", BigId, primary_key=True),
    Column(
        "target_id",
        Integer,
        ForeignKey("alert_target.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    Column("body", Json, nullable=False),
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("created_at", Timestamp, nullable=False),
    Column("next_try_at", Timestamp, nullable=False),
    Column("sent_at", Timestamp),
    Column("error", Text),
    Index("alert_message_due", "sent_at", "next_try_at"),
)
