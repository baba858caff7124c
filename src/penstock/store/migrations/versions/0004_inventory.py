"""A seller's inventory: accounts, products, their history, snapshots and both catalogues."""

import sqlalchemy as sa
from alembic import op

from penstock.columns import BigId, Json, Timestamp

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward only: a database is backed up before an upgrade, not migrated back."""
    _accounts()
    _snapshots()
    _marketplace()
    _catalogue()


def _exported() -> list[sa.Column[object]]:
    """What an export says of a product, as `product` and `product_diff` both keep it."""
    return [
        sa.Column("name_en", sa.Text(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("price_cents", sa.BigInteger(), nullable=False),
        sa.Column("price_currency", sa.Text(), nullable=False),
        sa.Column("blueprint_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("game_id", sa.BigInteger(), nullable=False),
        sa.Column("category_id", sa.BigInteger(), nullable=False),
        sa.Column("properties", sa.Text(), nullable=False),
        sa.Column("bundle_size", sa.BigInteger(), nullable=False),
        sa.Column("bundled_quantity", sa.BigInteger()),
        sa.Column("description", sa.Text()),
        sa.Column("user_data_field", sa.Text()),
        sa.Column("tag", sa.Text()),
        sa.Column("graded", sa.Boolean()),
        sa.Column("uploaded_images", sa.Text(), nullable=False),
        sa.Column("condition", sa.Text()),
        sa.Column("language", sa.Text()),
        sa.Column("foil", sa.Boolean()),
        sa.Column("signed", sa.Boolean()),
        sa.Column("altered", sa.Boolean()),
    ]


def _accounts() -> None:
    op.create_table(
        "account",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", Timestamp(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "product",
        sa.Column("account_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("product_id", sa.BigInteger(), autoincrement=False, nullable=False),
        *_exported(),
        sa.Column(
            "external_stock_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("gone_at", Timestamp()),
        sa.Column("first_seen_run", sa.BigInteger(), nullable=False),
        sa.Column("changed_run", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "product_id"),
    )
    op.create_index("product_stock", "product", ["user_id", "blueprint_id", "external_stock_id"])
    op.create_table(
        "product_history",
        sa.Column("id", BigId, nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("product_id", sa.BigInteger(), nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("changed_at", Timestamp(), nullable=False),
        sa.Column("changes", Json, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "product_history_product", "product_history", ["account_id", "product_id", "id"]
    )
    op.create_index("product_history_run", "product_history", ["run_id", "id"])


def _snapshots() -> None:
    op.create_table(
        "snapshot",
        sa.Column("id", BigId, nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("base_id", sa.BigInteger()),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("suspicions", Json, nullable=False),
        sa.Column("currencies", Json, nullable=False),
        sa.Column("products", sa.BigInteger(), nullable=False),
        sa.Column("new", sa.BigInteger(), nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.Column("unchanged", sa.BigInteger(), nullable=False),
        sa.Column("gone", sa.BigInteger(), nullable=False),
        sa.Column("returned", sa.BigInteger(), nullable=False),
        sa.Column("rejected", sa.BigInteger(), nullable=False),
        sa.Column("unmapped", sa.BigInteger(), nullable=False),
        sa.Column("taken_at", Timestamp(), nullable=False),
        sa.Column("published_at", Timestamp()),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_snapshot_run_id", "snapshot", ["run_id"])
    op.create_index("snapshot_account", "snapshot", ["account_id", "state", "id"])
    op.create_table(
        "product_diff",
        sa.Column("snapshot_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("product_id", sa.BigInteger(), autoincrement=False, nullable=False),
        *_exported(),
        sa.Column("changes", Json, nullable=False),
        sa.PrimaryKeyConstraint("snapshot_id", "kind", "product_id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "product_quarantine",
        sa.Column("id", BigId, nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("raw", sa.Text(), nullable=False),
        sa.Column("product_id", sa.BigInteger()),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("seen", sa.Integer(), server_default="1", nullable=False),
        sa.Column("seen_at", Timestamp(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("account_id", "digest"),
    )
    op.create_table(
        "inventory_sync",
        sa.Column("run_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("phase", sa.Text(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("rows", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("rows_per_second", sa.Float(), server_default="0", nullable=False),
        sa.Column("eta_seconds", sa.Float()),
        sa.PrimaryKeyConstraint("run_id"),
    )
    op.create_index("inventory_sync_account", "inventory_sync", ["account_id", "run_id"])


def _marketplace() -> None:
    op.create_table(
        "game",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("display_name", sa.Text()),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "category",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("game_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("properties", Json),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "expansion",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("game_id", sa.BigInteger(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "blueprint",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("game_id", sa.BigInteger(), nullable=False),
        sa.Column("category_id", sa.BigInteger(), nullable=False),
        sa.Column("expansion_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Text()),
        sa.Column("image_url", sa.Text()),
        sa.Column("scryfall_id", sa.Text()),
        sa.Column("tcgplayer_id", sa.Text()),
        sa.Column("cardmarket_ids", Json),
        sa.Column("set_code", sa.Text()),
        sa.Column("collector_number", sa.Text()),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_blueprint_expansion_id", "blueprint", ["expansion_id"])


def _catalogue() -> None:
    op.create_table(
        "catalogue",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("name", sa.Text()),
        sa.Column("scryfall_id", sa.Text()),
        sa.Column("tcgplayer_id", sa.Text()),
        sa.Column("cardmarket_id", sa.Text()),
        sa.Column("set_code", sa.Text()),
        sa.Column("collector_number", sa.Text()),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "blueprint_reference",
        sa.Column("blueprint_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("blueprint_id", "kind", "value"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "catalogue_reference",
        sa.Column("kind", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("catalogue_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("kind", "value", "catalogue_id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "mapping",
        sa.Column("blueprint_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("catalogue_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("blueprint_id"),
    )
    op.create_index("ix_mapping_catalogue_id", "mapping", ["catalogue_id"])
