"""The tables of runs. Only `penstock.store` writes them."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    Index,
    Integer,
    Table,
    Text,
    false,
    true,
)

from penstock.columns import BigId, Json, Timestamp, counter, metadata

run = Table(
    "run",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("task_id", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("params", Json, nullable=False),
    Column("result", Json),
    Column("error", Text),
    Column("fence", Integer, nullable=False),
    counter("inserted"),
    counter("updated"),
    counter("unchanged"),
    counter("rejected"),
    counter("requests"),
    Column("created_at", Timestamp, nullable=False),
    Column("started_at", Timestamp),
    Column("finished_at", Timestamp),
    Column("job_name", Text),
    Column("priority", Integer, nullable=False, server_default="0"),
    Column("resources", Json),
    Column("waiting", Boolean, nullable=False, server_default=false()),
    Column("cancel_asked", Boolean, nullable=False, server_default=false()),
    Column("attempt", Integer, nullable=False, server_default="1"),
    Column("next_try_at", Timestamp),
    Column("progress", Integer, nullable=False, server_default="0"),
    Column("message", Text),
    Column("progress_at", Timestamp),
    Column("idempotency_key", Text),
    Column("digest", Text),
    Column("request_digest", Text),
    # How far it is in a unit of its own: penstock.runs.run.Work.
    Column("work", Json),
    # The job of its present start, where an engine delivers it.
    Column("job_id", BigInteger),
    Index("run_state", "state", "priority", "id"),
    Index("run_finished", "finished_at"),
    Index("run_digest", "digest", "finished_at"),
    Index("run_idempotency_key", "idempotency_key", unique=True),
)
# Few wait, and each end of a run asks whether somebody does.
Index("run_waiting", run.c.id, postgresql_where=run.c.waiting, sqlite_where=run.c.waiting)

claim = Table(
    "run_claim",
    metadata,
    Column("resource", Text, primary_key=True),
    Column("run_id", BigInteger, nullable=False, index=True),
)

# What runs automatically. `name` is the job name of its runs. A tick locks `next_run_at` and moves
# it, so that each due run exists once.
schedule = Table(
    "schedule",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("params", Json, nullable=False),
    Column("interval_s", Integer),
    Column("enabled", Boolean, nullable=False, server_default=true()),
    Column("next_run_at", Timestamp, nullable=False),
    Column("last_due_at", Timestamp),
    Column("last_submitted_at", Timestamp),
    Column("cron", Text),
    Column("timezone", Text),
    Index("schedule_due", "enabled", "next_run_at"),
    CheckConstraint("(interval_s IS NULL) <> (cron IS NULL)", name="schedule_interval_or_cron"),
)

# One row for each run and symbol, which outlives the run: users delete from it, and read it in SQL
# of their own.
execution_log = Table(
    "job_execution_logs",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("run_id", BigInteger, nullable=False, index=True),
    Column("job_name", Text, nullable=False),
    Column("job_type", Text, nullable=False),
    Column("symbol", Text),
    Column("exchange", Text),
    Column("timeframe", Text),
    Column("started_at", Timestamp, nullable=False),
    Column("finished_at", Timestamp),
    Column("duration_seconds", Float),
    Column("status", Text, nullable=False),
    counter("records_collected"),
    Column("error_message", Text),
    Column("metadata", Json),
    Index("job_execution_logs_started", "started_at", "id"),
    # The status is last, so that the failures of a symbol are found without fetching other rows.
    Index("job_execution_logs_job_name", "job_name", "started_at", "id", "status"),
    Index("job_execution_logs_job_type", "job_type", "started_at", "id", "status"),
    Index("job_execution_logs_symbol", "symbol", "started_at", "id", "status"),
    Index("job_execution_logs_status", "status", "started_at", "id"),
)
