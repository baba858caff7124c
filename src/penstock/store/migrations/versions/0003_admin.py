"""Collection configs, execution logs, cron schedules, access tokens, alerts."""

import sqlalchemy as sa
from alembic import op

from penstock.columns import BigId, Json, Timestamp

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward only: a database is backed up before an upgrade, not migrated back."""
    with op.batch_alter_table("schedule") as schedule:
        schedule.alter_column("interval_s", existing_type=sa.Integer(), nullable=True)
        schedule.add_column(sa.Column("cron", sa.Text()))
        schedule.add_column(sa.Column("timezone", sa.Text()))
        schedule.create_check_constraint(
            "schedule_interval_or_cron", "(interval_s IS NULL) <> (cron IS NULL)"
        )
    _configs()
    _execution_logs()
    _tokens()
    _alerts()


def _configs() -> None:
    op.create_table(
        "data_collection_configs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("exchange", sa.Text(), nullable=False),
        sa.Column("timeframes", Json, nullable=False),
        sa.Column("interval_minutes", sa.Integer()),
        sa.Column("cron", sa.Text()),
        sa.Column("timezone", sa.Text()),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("description", sa.Text()),
        sa.Column("created_at", Timestamp(), nullable=False),
        sa.Column("updated_at", Timestamp(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("job_id"),
        sa.UniqueConstraint("exchange", "symbol"),
        sqlite_autoincrement=True,
    )


def _execution_logs() -> None:
    op.create_table(
        "job_execution_logs",
        sa.Column("id", BigId, nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("job_name", sa.Text(), nullable=False),
        sa.Column("job_type", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text()),
        sa.Column("exchange", sa.Text()),
        sa.Column("timeframe", sa.Text()),
        sa.Column("started_at", Timestamp(), nullable=False),
        sa.Column("finished_at", Timestamp()),
        sa.Column("duration_seconds", sa.Float()),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("records_collected", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("error_message", sa.Text()),
        sa.Column("metadata", Json),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_job_execution_logs_run_id", "job_execution_logs", ["run_id"])
    op.create_index("job_execution_logs_started", "job_execution_logs", ["started_at", "id"])
    op.create_index(
        "job_execution_logs_status", "job_execution_logs", ["status", "started_at", "id"]
    )
    for column in ("job_name", "job_type", "symbol"):
        op.create_index(
            f"job_execution_logs_{column}",
            "job_execution_logs",
            [column, "started_at", "id", "status"],
        )


def _tokens() -> None:
    op.create_table(
        "api_token",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("created_at", Timestamp(), nullable=False),
        sa.Column("expires_at", Timestamp()),
        sa.Column("last_used_at", Timestamp()),
        sa.Column("revoked_at", Timestamp()),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("digest"),
    )


def _alerts() -> None:
    op.create_table(
        "alert_target",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("shown", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("signing_key", sa.Text()),
        sa.Column("enabled", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("created_at", Timestamp(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "alert",
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("since", Timestamp(), nullable=False),
        sa.Column("seen_at", Timestamp(), nullable=False),
        sa.Column("notified_at", Timestamp()),
        sa.PrimaryKeyConstraint("rule", "subject"),
    )
    op.create_table(
        "alert_look",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("looked_at", Timestamp(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "alert_message",
        sa.Column("id", BigId, nullable=False),
        sa.Column("target_id", sa.Integer(), nullable=False),
        sa.Column("body", Json, nullable=False),
        sa.Column("attempt", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_at", Timestamp(), nullable=False),
        sa.Column("next_try_at", Timestamp(), nullable=False),
        sa.Column("sent_at", Timestamp()),
        sa.Column("error", sa.Text()),
        sa.ForeignKeyConstraint(["target_id"], ["alert_target.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_alert_message_target_id", "alert_message", ["target_id"])
    op.create_index("alert_message_due", "alert_message", ["sent_at", "next_try_at"])
