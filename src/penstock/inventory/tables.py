"""The tables of the inventory domain. Only `penstock.store` writes them.

Prices are whole numbers of minor units: no column of money is a float.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
)

from penstock.columns import BigId, FlagOrText, Json, Timestamp, counter, metadata

# The columns of an export, in the order of `penstock.inventory.product.Product`.
STAGED = (
    "product_id",
    "name_en",
    "quantity",
    "price_cents",
    "price_currency",
    "blueprint_id",
    "user_id",
    "game_id",
    "category_id",
    "properties",
    "bundle_size",
    "bundled_quantity",
    "description",
    "user_data_field",
    "tag",
    "graded",
    "uploaded_images",
)
# What is read out of `properties`, whose keys carry the prefix of the game.
NORMALISED = ("condition", "language", "foil", "signed", "altered")


def _exported() -> list[Column[Any]]:
    """The columns of STAGED without the key, and of NORMALISED; JSON is text as it was sent."""
    return [
        Column("name_en", Text, nullable=False),
        Column("quantity", BigInteger, nullable=False),
        Column("price_cents", BigInteger, nullable=False),
        Column("price_currency", Text, nullable=False),
        Column("blueprint_id", BigInteger, nullable=False),
        Column("user_id", BigInteger, nullable=False),
        Column("game_id", BigInteger, nullable=False),
        Column("category_id", BigInteger, nullable=False),
        Column("properties", Text, nullable=False),
        Column("bundle_size", BigInteger, nullable=False),
        Column("bundled_quantity", BigInteger),
        Column("description", Text),
        Column("user_data_field", Text),
        Column("tag", Text),
        # A grade as it was sent, such as "PSA 9.5"; "true" or "false" where no more is said.
        Column("graded", FlagOrText),
        Column("uploaded_images", Text, nullable=False),
        Column("condition", Text),
        Column("language", Text),
        Column("foil", Boolean),
        Column("signed", Boolean),
        Column("altered", Boolean),
    ]


# A seller's account. `token` is sealed; `user_id` is CardTrader's number of the seller.
account = Table(
    "account",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("token", Text, nullable=False),
    Column("user_id", BigInteger, nullable=False),
    Column("created_at", Timestamp, nullable=False),
    # An account's number is never another one's: its runs and their execution logs outlive it.
    sqlite_autoincrement=True,
)

# CardTrader's own numbers are the keys of the four tables of its catalogue.
game = Table(
    "game",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("display_name", Text),
)

category = Table(
    "category",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("game_id", BigInteger, nullable=False),
    Column("name", Text, nullable=False),
    Column("properties", Json),
)

expansion = Table(
    "expansion",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("game_id", BigInteger, nullable=False),
    Column("code", Text, nullable=False),
    Column("name", Text, nullable=False),
)

# A blueprint may belong to no expansion.
blueprint = Table(
    "blueprint",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("game_id", BigInteger, nullable=False),
    Column("category_id", BigInteger, nullable=False),
    Column("expansion_id", BigInteger, index=True),
    Column("name", Text, nullable=False),
    Column("version", Text),
    Column("image_url", Text),
    Column("scryfall_id", Text),
    Column("tcgplayer_id", Text),
    Column("cardmarket_ids", Json),
    Column("set_code", Text),
    Column("collector_number", Text),
)

# Ids that products refer to and that CardTrader does not list: when it was asked for them last.
unlisted_blueprint = Table(
    "unlisted_blueprint",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("asked_at", Timestamp, nullable=False),
)

# No foreign keys: PostgreSQL would check them row by row. With a rowid on SQLite, which writes such
# wide rows faster, in any order.
product = Table(
    "product",
    metadata,
    Column("account_id", Integer, primary_key=True),
    Column("product_id", BigInteger, primary_key=True),
    *_exported(),
    # Digits, compared as bytes: by a language's rules, filling the index takes twice as long.
    Column(
        "external_stock_id", Text().with_variant(Text(collation="C"), "postgresql"), nullable=False
    ),
    Column("gone_at", Timestamp),
    Column("first_seen_run", BigInteger, nullable=False),
    Column("changed_run", BigInteger, nullable=False),
    Index("product_stock", "user_id", "blueprint_id", "external_stock_id"),
)

# What a run changed: `changes` maps a column to its old and new value. A first import leaves none.
product_history = Table(
    "product_history",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("account_id", Integer, nullable=False),
    Column("product_id", BigInteger, nullable=False),
    Column("run_id", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("changed_at", Timestamp, nullable=False),
    Column("changes", Json, nullable=False),
    Index("product_history_product", "account_id", "product_id", "id"),
    Index("product_history_run", "run_id", "id"),
)

# One for each completed sync; the next one is compared with the newest published (`base_id`).
# `products` are in the inventory with it; `currencies` counts those of the staged products.
snapshot = Table(
    "snapshot",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("account_id", Integer, ForeignKey("account.id", ondelete="CASCADE"), nullable=False),
    Column("run_id", BigInteger, nullable=False, index=True),
    Column("base_id", BigInteger),
    Column("state", Text, nullable=False),
    Column("suspicions", Json, nullable=False),
    Column("currencies", Json, nullable=False),
    Column("products", BigInteger, nullable=False),
    Column("new", BigInteger, nullable=False),
    Column("changed", BigInteger, nullable=False),
    Column("unchanged", BigInteger, nullable=False),
    Column("gone", BigInteger, nullable=False),
    Column("returned", BigInteger, nullable=False),
    Column("rejected", BigInteger, nullable=False),
    Column("unmapped", BigInteger, nullable=False),
    Column("taken_at", Timestamp, nullable=False),
    Column("published_at", Timestamp),
    counter("unidentified"),
    counter("unmarked"),
    Index("snapshot_account", "account_id", "state", "id"),
)

# What an unpublished snapshot would change: the new row (for a gone product, the old one), and the
# old and new values in `changes`.
product_diff = Table(
    "product_diff",
    metadata,
    Column("snapshot_id", BigInteger, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("product_id", BigInteger, primary_key=True),
    *_exported(),
    Column("changes", Json, nullable=False),
    sqlite_with_rowid=False,
)

product_quarantine = Table(
    "product_quarantine",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("account_id", Integer, ForeignKey("account.id", ondelete="CASCADE"), nullable=False),
    Column("digest", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("raw", Text, nullable=False),
    Column("product_id", BigInteger),
    Column("run_id", BigInteger, nullable=False),
    Column("seen", Integer, nullable=False, server_default="1"),
    Column("seen_at", Timestamp, nullable=False),
    UniqueConstraint("account_id", "digest"),
)

# How far a sync is, besides what its run says.
inventory_sync = Table(
    "inventory_sync",
    metadata,
    Column("run_id", BigInteger, primary_key=True, autoincrement=False),
    Column("account_id", Integer, nullable=False),
    Column("phase", Text, nullable=False),
    counter("bytes"),
    counter("rows"),
    Column("rows_per_second", Float, nullable=False, server_default="0"),
    Column("eta_seconds", Float),
    Index("inventory_sync_account", "account_id", "run_id"),
)

# The user's own list of what he sells, as it was last uploaded.
catalogue = Table(
    "catalogue",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("sku", Text, nullable=False),
    Column("name", Text),
    Column("scryfall_id", Text),
    Column("tcgplayer_id", Text),
    Column("cardmarket_id", Text),
    Column("set_code", Text),
    Column("collector_number", Text),
)

# The references of blueprints and of the catalogue; `kind` is a ReferenceKind, the best one first.
blueprint_reference = Table(
    "blueprint_reference",
    metadata,
    Column("blueprint_id", BigInteger, primary_key=True),
    Column("kind", SmallInteger, primary_key=True),
    Column("value", Text, primary_key=True),
    sqlite_with_rowid=False,
)
catalogue_reference = Table(
    "catalogue_reference",
    metadata,
    Column("kind", SmallInteger, primary_key=True),
    Column("value", Text, primary_key=True),
    Column("catalogue_id", Integer, primary_key=True),
    sqlite_with_rowid=False,
)

# Which row of the catalogue a blueprint is, and by what that was seen.
mapping = Table(
    "mapping",
    metadata,
    Column("blueprint_id", BigInteger, primary_key=True, autoincrement=False),
    Column("catalogue_id", Integer, nullable=False, index=True),
    Column("kind", SmallInteger, nullable=False),
)
