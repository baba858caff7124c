"""Price kinds, funding rates and open interest; what a provider does not say is NULL."""

import re
from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from penstock.columns import Exact, Timestamp

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_UNKNOWN = ("volume", "quote_volume", "taker_base", "taker_quote", "trades")


def upgrade() -> None:
    """Forward only: a database is backed up before an upgrade, not migrated back."""
    if op.get_bind().dialect.name == "postgresql":
        _key_series()
        for table in ("candle", "restatement"):
            for name in _UNKNOWN:
                op.alter_column(table, name, nullable=True)
    else:
        _make_series_anew()
        _let_columns_be_null()
    op.create_table(
        "funding_rate",
        sa.Column("instrument_id", sa.Integer(), sa.ForeignKey("instrument.id"), nullable=False),
        sa.Column("time", Timestamp(), nullable=False),
        sa.Column("rate", Exact(), nullable=False),
        sa.Column("mark_price", Exact()),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("instrument_id", "time"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "open_interest",
        sa.Column("instrument_id", sa.Integer(), sa.ForeignKey("instrument.id"), nullable=False),
        sa.Column("time", Timestamp(), nullable=False),
        sa.Column("amount", Exact(), nullable=False),
        sa.Column("value", Exact()),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("instrument_id", "time"),
        sqlite_with_rowid=False,
    )


def _key_series() -> None:
    op.add_column(
        "series", sa.Column("price_kind", sa.Text(), server_default="last", nullable=False)
    )
    op.drop_constraint("series_instrument_id_timeframe_key", "series")
    op.create_unique_constraint(
        "series_instrument_id_price_kind_timeframe_key",
        "series",
        ["instrument_id", "price_kind", "timeframe"],
    )


def _make_series_anew() -> None:
    """Make the table again, because SQLite drops no constraint.

    What refers to a series follows it to its other name and back, so nothing is deleted with the
    old table.
    """
    # Views are to stay as they are.
    op.execute("PRAGMA legacy_alter_table = ON")
    op.rename_table("series", "series_before")
    op.execute("PRAGMA legacy_alter_table = OFF")
    op.create_table(
        "series",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("instrument_id", sa.Integer(), sa.ForeignKey("instrument.id"), nullable=False),
        sa.Column("timeframe", sa.Text(), nullable=False),
        sa.Column("price_kind", sa.Text(), server_default="last", nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("instrument_id", "price_kind", "timeframe"),
    )
    op.execute(
        "INSERT INTO series (id, instrument_id, timeframe)"
        " SELECT id, instrument_id, timeframe FROM series_before"
    )
    _rewrite(("coverage", "quarantine"), r'"series_before"', "series")
    op.drop_table("series_before")


def _let_columns_be_null() -> None:
    for name in _UNKNOWN:
        _rewrite(("candle", "restatement"), rf"(\b{name} \w+) NOT NULL", r"\1")


def _rewrite(tables: Sequence[str], pattern: str, replacement: str) -> None:
    """Change how tables are declared, where their rows stay as they are.

    Section 7 of https://www.sqlite.org/lang_altertable.html describes this way.
    """
    connection = op.get_bind()
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema = ON")
    for table in tables:
        statement = connection.exec_driver_sql(
            "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?", (table,)
        ).scalar_one()
        changed = re.sub(pattern, replacement, statement)
        connection.exec_driver_sql(
            "UPDATE sqlite_master SET sql = ? WHERE type = 'table' AND name = ?", (changed, table)
        )
    connection.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema = OFF")
