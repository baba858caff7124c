"""Blueprints that CardTrader does not list, so that not every sync asks for them again."""

import sqlalchemy as sa
from alembic import op

from penstock.columns import Timestamp

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward only: a database is backed up before an upgrade, not migrated back."""
    op.create_table(
        "unlisted_blueprint",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("asked_at", Timestamp(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
