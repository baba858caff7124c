"""The first schema: instruments, series, candles, coverage, quarantine, restatements, runs."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from penstock.columns import BigId, Exact, Timestamp
from penstock.store.schema import program

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_Json = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    """Forward only: a database is backed up before an upgrade, not migrated back."""
    _tables()
    for statement in program("0001", op.get_bind().dialect.name):
        op.get_bind().exec_driver_sql(statement)


def _tables() -> None:
    op.create_table(
        "candle",
        sa.Column("series_id", sa.Integer(), nullable=False),
        sa.Column("open_time", Timestamp(), nullable=False),
        sa.Column("close_time", Timestamp(), nullable=False),
        sa.Column("open", Exact(), nullable=False),
        sa.Column("high", Exact(), nullable=False),
        sa.Column("low", Exact(), nullable=False),
        sa.Column("close", Exact(), nullable=False),
        sa.Column("volume", Exact(), nullable=False),
        sa.Column("quote_volume", Exact(), nullable=False),
        sa.Column("taker_base", Exact(), nullable=False),
        sa.Column("taker_quote", Exact(), nullable=False),
        sa.Column("trades", sa.BigInteger(), nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("closed", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("series_id", "open_time"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "instrument",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("exchange", sa.Text(), nullable=False),
        sa.Column("market", sa.Text(), nullable=False),
        sa.Column("native_symbol", sa.Text(), nullable=False),
        sa.Column("base", sa.Text(), nullable=False),
        sa.Column("quote", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("seen_at", Timestamp(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("exchange", "market", "native_symbol"),
    )
    op.create_index("instrument_symbol", "instrument", ["symbol"], unique=False)
    op.create_table(
        "restatement",
        sa.Column("id", BigId, nullable=False),
        sa.Column("series_id", sa.Integer(), nullable=False),
        sa.Column("open_time", Timestamp(), nullable=False),
        sa.Column("close_time", Timestamp(), nullable=False),
        sa.Column("open", Exact(), nullable=False),
        sa.Column("high", Exact(), nullable=False),
        sa.Column("low", Exact(), nullable=False),
        sa.Column("close", Exact(), nullable=False),
        sa.Column("volume", Exact(), nullable=False),
        sa.Column("quote_volume", Exact(), nullable=False),
        sa.Column("taker_base", Exact(), nullable=False),
        sa.Column("taker_quote", Exact(), nullable=False),
        sa.Column("trades", sa.BigInteger(), nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("restated_by", sa.BigInteger(), nullable=False),
        sa.Column("restated_at", Timestamp(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("restatement_candle", "restatement", ["series_id", "open_time"], unique=False)
    op.create_table(
        "run",
        sa.Column("id", BigId, nullable=False),
        sa.Column("task_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("params", _Json, nullable=False),
        sa.Column("result", _Json, nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("inserted", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("updated", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("unchanged", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("rejected", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("requests", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("created_at", Timestamp(), nullable=False),
        sa.Column("started_at", Timestamp(), nullable=True),
        sa.Column("heartbeat_at", Timestamp(), nullable=True),
        sa.Column("finished_at", Timestamp(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("task_id"),
    )
    op.create_index("run_state", "run", ["state"], unique=False)
    op.create_table(
        "run_claim",
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("resource"),
    )
    op.create_index(op.f("ix_run_claim_run_id"), "run_claim", ["run_id"], unique=False)
    op.create_table(
        "series",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("instrument_id", sa.Integer(), nullable=False),
        sa.Column("timeframe", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["instrument_id"],
            ["instrument.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("instrument_id", "timeframe"),
    )
    op.create_table(
        "coverage",
        sa.Column("series_id", sa.Integer(), nullable=False),
        sa.Column("start_time", Timestamp(), nullable=False),
        sa.Column("end_time", Timestamp(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("start_time < end_time", name="coverage_not_empty"),
        sa.ForeignKeyConstraint(
            ["series_id"],
            ["series.id"],
        ),
        sa.PrimaryKeyConstraint("series_id", "start_time"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "quarantine",
        sa.Column("id", BigId, nullable=False),
        sa.Column("series_id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("raw", sa.Text(), nullable=False),
        sa.Column("open_time", sa.BigInteger(), nullable=True),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("seen", sa.Integer(), server_default="1", nullable=False),
        sa.Column("seen_at", Timestamp(), nullable=False),
        sa.ForeignKeyConstraint(
            ["series_id"],
            ["series.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("series_id", "digest"),
    )
