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

from penstock.columns import BigId, FlagOrText, Json, Timestamp, counter, metadata, required

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
# What products are sorted and filtered by, besides their key.
LISTED_BY = (
    "gone_at",
    "price_cents",
    "quantity",
    "game_id",
    "blueprint_id",
    "foil",
    "language",
    "condition",
    "name_en",
)


def _exported() -> list[Column[Any]]:
    """The columns of STAGED without the key, and of NORMALISED; JSON is text as it was sent."""
    return [
        required("name_en", Text),
        required("quantity", BigInteger),
        required("price_cents", BigInteger),
        required("price_currency", Text),
        required("blueprint_id", BigInteger),
        required("user_id", BigInteger),
        required("game_id", BigInteger),
        required("category_id", BigInteger),
        required("properties", Text),
        required("bundle_size", BigInteger),
        Column("bundled_quantity", BigInteger),
        Column("description", Text),
        Column("user_data_field", Text),
        Column("tag", Text),
        # A grade as it was sent, such as "PSA 9.5"; "true" or "false" where no more is said.
        Column("graded", FlagOrText),
        required("uploaded_images", Text),
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
    required("name", Text, unique=True),
    required("token", Text),
    required("user_id", BigInteger),
    required("created_at", Timestamp),
    # An account's number is never another one's: its runs and their execution logs outlive it.
    sqlite_autoincrement=True,
)

# CardTrader's own numbers are the keys of the four tables of its catalogue.
game = Table(
    "game",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    required("name", Text),
    Column("display_name", Text),
)

category = Table(
    "category",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    required("game_id", BigInteger),
    required("name", Text),
    Column("properties", Json),
)

expansion = Table(
    "expansion",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    required("game_id", BigInteger),
    required("code", Text),
    required("name", Text),
)

# A blueprint may belong to no expansion.
blueprint = Table(
    "blueprint",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    required("game_id", BigInteger),
    required("category_id", BigInteger),
    Column("expansion_id", BigInteger, index=True),
    required("name", Text),
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
    required("asked_at", Timestamp),
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
    required("external_stock_id", Text().with_variant(Text(collation="C"), "postgresql")),
    Column("gone_at", Timestamp),
    required("first_seen_run", BigInteger),
    required("changed_run", BigInteger),
    Index("product_stock", "user_id", "blueprint_id", "external_stock_id"),
)

# All that products are listed by, in the order in which they are written: SQLite reads this instead
# of rows that are six times as wide. PostgreSQL is fast enough without it.
product_list = Index(
    "product_list",
    product.c.account_id,
    product.c.product_id,
    *(product.c[name] for name in LISTED_BY),
).ddl_if(dialect="sqlite")

# What a run changed: `changes` maps a column to its old and new value. A first import leaves none.
product_history = Table(
    "product_history",
    metadata,
    Column("id", BigId, primary_key=True),
    required("account_id", Integer),
    required("product_id", BigInteger),
    required("run_id", BigInteger),
    required("kind", Text),
    required("changed_at", Timestamp),
    required("changes", Json),
    Index("product_history_product", "account_id", "product_id", "id"),
    Index("product_history_run", "run_id", "id"),
)

# One for each completed sync; the next one is compared with the newest published (`base_id`).
# `products` are in the inventory with it; `currencies` counts those of the staged products.
snapshot = Table(
    "snapshot",
    metadata,
    Column("id", BigId, primary_key=True),
    required("account_id", Integer, ForeignKey("account.id", ondelete="CASCADE")),
    required("run_id", BigInteger, index=True),
    Column("base_id", BigInteger),
    required("state", Text),
    required("suspicions", Json),
    required("currencies", Json),
    required("products", BigInteger),
    required("new", BigInteger),
    required("changed", BigInteger),
    required("unchanged", BigInteger),
    required("gone", BigInteger),
    required("returned", BigInteger),
    required("rejected", BigInteger),
    required("unmapped", BigInteger),
    required("taken_at", Timestamp),
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
    required("changes", Json),
    sqlite_with_rowid=False,
)

product_quarantine = Table(
    "product_quarantine",
    metadata,
    Column("id", BigId, primary_key=True),
    required("account_id", Integer, ForeignKey("account.id", ondelete="CASCADE")),
    required("digest", Text),
    required("reason", Text),
    required("detail", Text),
    required("raw", Text),
    Column("product_id", BigInteger),
    required("run_id", BigInteger),
    required("seen", Integer, server_default="1"),
    required("seen_at", Timestamp),
    UniqueConstraint("account_id", "digest"),
)

# How far a sync is, besides what its run says.
inventory_sync = Table(
    "inventory_sync",
    metadata,
    Column("run_id", BigInteger, primary_key=True, autoincrement=False),
    required("account_id", Integer),
    required("phase", Text),
    counter("bytes"),
    counter("rows"),
    required("rows_per_second", Float, server_default="0"),
    Column("eta_seconds", Float),
    Index("inventory_sync_account", "account_id", "run_id"),
)

# The user's own list of what he sells, as it was last uploaded. While it is replaced, old and new
# rows are in it: those that `mapping` refers to are in force.
catalogue = Table(
    "catalogue",
    metadata,
    Column("id", Integer, primary_key=True),
    required("sku", Text),
    Column("name", Text),
    Column("scryfall_id", Text),
    Column("tcgplayer_id", Text),
    Column("cardmarket_id", Text),
    Column("set_code", Text),
    Column("collector_number", Text),
)

# The references of blueprints and of the catalogue; `kind` is a ReferenceKind, the best one first.
# Of the catalogue, penstock.store.write.inventory.card_list adds to it.
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
    required("catalogue_id", Integer, index=True),
    required("kind", SmallInteger),
)
