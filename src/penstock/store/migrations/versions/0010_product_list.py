"""An index that SQLite lists products by."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward only: a database is backed up before an upgrade, not migrated back."""
    if op.get_bind().dialect.name != "sqlite":
        return
    op.create_index(
        "product_list",
        "product",
        [
            "account_id",
            "product_id",
            "gone_at",
            "price_cents",
            "quantity",
            "game_id",
            "blueprint_id",
            "foil",
            "language",
            "condition",
            "name_en",
        ],
    )
