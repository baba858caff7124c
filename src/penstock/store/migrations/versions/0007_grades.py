"""Grades as they were sent, blueprints of no expansion, and each snapshot's rows without id."""

import sqlalchemy as sa
from alembic import op

from penstock.columns import FlagOrText

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_WITHOUT_ROWID = {"product": False, "product_diff": True}


def upgrade() -> None:
    """Forward only: a database is backed up before an upgrade, not migrated back."""
    for table, without_rowid in _WITHOUT_ROWID.items():
        _keep_grades(table, without_rowid=without_rowid)
    with op.batch_alter_table("blueprint") as blueprint:
        blueprint.alter_column("expansion_id", existing_type=sa.BigInteger(), nullable=True)
    op.add_column(
        "snapshot", sa.Column("unidentified", sa.BigInteger(), server_default="0", nullable=False)
    )
    op.add_column(
        "snapshot", sa.Column("unmarked", sa.BigInteger(), server_default="0", nullable=False)
    )


def _keep_grades(table: str, *, without_rowid: bool) -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column(
            table,
            "graded",
            type_=FlagOrText(),
            existing_type=sa.Boolean(),
            postgresql_using="graded::text",
        )
        return
    options = {"sqlite_with_rowid": False} if without_rowid else {}
    with op.batch_alter_table(table, table_kwargs=options) as batch:
        batch.alter_column("graded", type_=FlagOrText(), existing_type=sa.Boolean())
    op.execute(
        f"UPDATE {table} SET graded = CASE graded WHEN '1' THEN 'true' ELSE 'false' END"
        " WHERE graded IS NOT NULL"
    )
