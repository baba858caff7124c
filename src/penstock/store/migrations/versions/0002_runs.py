"""Runs that are queued, retried and cancelled; schedules; the budget that processes share."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from penstock.columns import Timestamp
from penstock.store.schema import program

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_Json = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    """Forward only: a database is backed up before an upgrade, not migrated back."""
    _run()
    _schedule()
    for statement in program("0002", op.get_bind().dialect.name):
        op.get_bind().exec_driver_sql(statement)


def _run() -> None:
    for column in (
        sa.Column("job_name", sa.Text()),
        sa.Column("priority", sa.Integer(), server_default="0", nullable=False),
        sa.Column("resources", _Json),
        sa.Column("waiting", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("cancel_asked", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("attempt", sa.Integer(), server_default="1", nullable=False),
        sa.Column("next_try_at", Timestamp()),
        sa.Column("progress", sa.Integer(), server_default="0", nullable=False),
        sa.Column("message", sa.Text()),
        sa.Column("progress_at", Timestamp()),
        sa.Column("idempotency_key", sa.Text()),
        sa.Column("digest", sa.Text()),
        sa.Column("request_digest", sa.Text()),
    ):
        op.add_column("run", column)
    op.drop_index("run_state", "run")
    op.create_index("run_state", "run", ["state", "priority", "id"])
    op.create_index("run_finished", "run", ["finished_at"])
    op.create_index("run_digest", "run", ["digest", "finished_at"])
    op.create_index("run_idempotency_key", "run", ["idempotency_key"], unique=True)


def _schedule() -> None:
    op.create_table(
        "schedule",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("params", _Json, nullable=False),
        sa.Column("interval_s", sa.Integer(), nullable=False),
        sa.Column("enabled", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("next_run_at", Timestamp(), nullable=False),
        sa.Column("last_due_at", Timestamp()),
        sa.Column("last_submitted_at", Timestamp()),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )
    op.create_index("schedule_due", "schedule", ["enabled", "next_run_at"])
    op.create_table(
        "provider_budget",
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("window_start", Timestamp(), nullable=False),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.Column("paused_until", Timestamp(), nullable=False),
        sa.PrimaryKeyConstraint("provider"),
    )
    op.add_column("instrument", sa.Column("quote_volume_24h", sa.Float()))
