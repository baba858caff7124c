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

from penstock.columns import BigId, Json, Timestamp, counter, metadata, required

run = Table(
    "run",
    metadata,
    Column("id", BigId, primary_key=True),
    required("task_id", Text, unique=True),
    required("kind", Text),
    required("state", Text),
    required("params", Json),
    Column("result", Json),
    Column("error", Text),
    required("fence", Integer),
    counter("inserted"),
    counter("updated"),
    counter("unchanged"),
    counter("rejected"),
    counter("requests"),
    required("created_at", Timestamp),
    Column("started_at", Timestamp),
    Column("finished_at", Timestamp),
    Column("job_name", Text),
    required("priority", Integer, server_default="0"),
    Column("resources", Json),
    required("waiting", Boolean, server_default=false()),
    required("cancel_asked", Boolean, server_default=false()),
    required("attempt", Integer, server_default="1"),
    Column("next_try_at", Timestamp),
    required("progress", Integer, server_default="0"),
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
    required("run_id", BigInteger, index=True),
)

# What runs automatically. `name` is the job name of its runs. A tick locks `next_run_at` and moves
# it, so that each due run exists once.
schedule = Table(
    "schedule",
    metadata,
    Column("id", Integer, primary_key=True),
    required("name", Text, unique=True),
    required("kind", Text),
    required("params", Json),
    Column("interval_s", Integer),
    required("enabled", Boolean, server_default=true()),
    required("next_run_at", Timestamp),
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
    required("run_id", BigInteger, index=True),
    required("job_name", Text),
    required("job_type", Text),
    Column("symbol", Text),
    Column("exchange", Text),
    Column("timeframe", Text),
    required("started_at", Timestamp),
    Column("finished_at", Timestamp),
    Column("duration_seconds", Float),
    required("status", Text),
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
