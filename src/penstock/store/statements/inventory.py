"""The statements of an inventory sync: stage, compare, write only what differs.

Both databases get the same text but for the words in `Words`. A staged row meets the published one by the primary key of `product`, with both
columns of it typed alike: an untyped one would cost half of the index.
"""

from __future__ import annotations

from dataclasses import dataclass

from penstock.inventory.tables import NORMALISED, STAGED

_NUMBERS = {
    "product_id",
    "quantity",
    "price_cents",
    "blueprint_id",
    "user_id",
    "game_id",
    "category_id",
    "bundle_size",
    "bundled_quantity",
}
_VALUES = STAGED[1:]
_COLUMNS = (*STAGED, *NORMALISED)
DIFF_COLUMNS = ("product_id", "kind", *NORMALISED)
_FLAGS = {"foil", "signed", "altered"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What the databases say differently. In `differs`, `json_of` and `as_json` a `{}` is what it is about.

    `place` orders rows as they were staged.
    """

    boolean: str
    now: str
    differs: str
    json_of: str
    as_json: str
    place: str
    locked: str


POSTGRES = Words(
    boolean="boolean",
    now="clock_timestamp()",
    differs="{0} IS DISTINCT FROM {1}",
    json_of="coalesce(CAST(to_json({0}) AS text), 'null')",
    as_json="CAST({0} AS jsonb)",
    place="ctid",
    locked="FOR UPDATE",
)
SQLITE = Words(
    boolean="integer",
    now="CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)",
    differs="{0} IS NOT {1}",
    json_of="json_quote({0})",
    as_json="{0}",
    place="rowid",
    locked="",
)


def create_stage(words: Words, temporary: str = "", *, first: bool) -> list[str]:
    """The tables of a staging area: the rows as they come, without a key, the ids of those that cannot be read, and which of them differ.

    What is read out of properties stands with the rows of a `first` import, and later with those that differ.
    """
    types = (
        dict.fromkeys((*_COLUMNS, *DIFF_COLUMNS), "text")
        | dict.fromkeys(_NUMBERS, "bigint")
        | dict.fromkeys(_FLAGS, words.boolean)
    )
    tables = {
        "inventory_stage": _COLUMNS if first else STAGED,
        "inventory_unread": STAGED[:1],
        "inventory_diff": DIFF_COLUMNS,
    }
    return [
        f"CREATE {temporary} TABLE {table} ({', '.join(f'{name} {types[name]}' for name in columns)})"
        for table, columns in tables.items()
    ]


TWICE = """
SELECT product_id, count(*) OVER () AS ids FROM inventory_stage GROUP BY product_id HAVING count(*) > 1 ORDER BY product_id LIMIT 3
"""


def drop_twice(words: Words) -> str:
    """Keep of each id the row that came first."""
    numbered = f"SELECT {words.place} AS place, row_number() OVER (PARTITION BY product_id ORDER BY {words.place}) AS nth FROM inventory_stage"
    return f"DELETE FROM inventory_stage WHERE {words.place} IN (SELECT place FROM ({numbered}) AS numbered WHERE nth > 1)"


STAGED_COUNT = "SELECT count(*) AS rows, count(DISTINCT product_id) AS ids FROM inventory_stage"
UNMAPPED = """
SELECT count(*) FROM inventory_stage s LEFT JOIN mapping m ON m.blueprint_id = s.blueprint_id WHERE m.blueprint_id IS NULL
"""
GONE = """
INSERT INTO inventory_diff (product_id, kind)
SELECT p.product_id, 'gone' FROM product p LEFT JOIN inventory_stage s ON s.product_id = p.product_id
WHERE p.account_id = :account AND p.gone_at IS NULL AND s.product_id IS NULL AND p.product_id NOT IN (SELECT product_id FROM inventory_unread)
"""
# Ids of rows that cannot be read otherwise: these products are there.
UNREAD = "INSERT INTO inventory_unread (product_id) VALUES (:product_id)"


def compare(words: Words) -> str:
    """What is staged and is not published like that, with what is needed to read its properties."""
    differs = " OR ".join(words.differs.format(f"s.{name}", f"p.{name}") for name in _VALUES)
    return f"""
        SELECT s.product_id, CASE WHEN p.product_id IS NULL THEN 'new' WHEN p.gone_at IS NOT NULL THEN 'returned' ELSE 'changed' END AS kind,
            s.game_id, s.properties
        FROM inventory_stage s LEFT JOIN product p ON p.account_id = :account AND p.product_id = s.product_id
        WHERE p.product_id IS NULL OR p.gone_at IS NOT NULL OR {differs}
    """


ALL_NEW = "SELECT s.*, 'new' AS kind FROM inventory_stage s"
DIFFERENT = f"""
SELECT {", ".join(f"s.{name}" for name in STAGED)}, {", ".join(f"d.{name}" for name in NORMALISED)}, d.kind
FROM inventory_diff d JOIN inventory_stage s ON s.product_id = d.product_id
"""
STAGED_GONE = "SELECT product_id FROM inventory_diff WHERE kind = 'gone'"
KEPT = "SELECT * FROM product_diff WHERE snapshot_id = :snapshot AND kind <> 'gone'"
KEPT_GONE = "SELECT product_id FROM product_diff WHERE snapshot_id = :snapshot AND kind = 'gone'"


def write_rows(rows: str, *, empty: bool) -> str:
    """Put rows into `product`; into an `empty` one without looking for what is there."""
    insert = f"""
        INSERT INTO product (account_id, {", ".join(_COLUMNS)}, external_stock_id, first_seen_run, changed_run)
        SELECT :account, {", ".join(f"w.{name}" for name in _COLUMNS)}, CAST(w.product_id AS text), :run, :run
        FROM ({rows}) AS w WHERE w.kind <> 'gone'
    """
    if empty:
        return insert
    assign = ", ".join(f"{name} = excluded.{name}" for name in (*_COLUMNS[1:], "changed_run"))
    return f"{insert} ON CONFLICT (account_id, product_id) DO UPDATE SET {assign}, gone_at = NULL"


def remove_rows(words: Words, gone: str) -> str:
    """Mark products as gone; they stay."""
    return f"UPDATE product SET gone_at = {words.now}, changed_run = :run WHERE account_id = :account AND product_id IN ({gone})"


def _changes(words: Words) -> str:
    """JSON of the columns in which row `r` differs from the published row `p`, each with its old and its new value."""

    def change(name: str) -> str:
        quote = (
            f"CASE WHEN {{0}} IN ('true', 'false') THEN {{0}} ELSE {words.json_of} END"
            if name == "graded"
            else words.json_of
        )
        pair = f"',\"{name}\":[' || {quote.format(f'p.{name}')} || ',' || {quote.format(f'r.{name}')} || ']'"
        return f"CASE WHEN {words.differs.format(f'p.{name}', f'r.{name}')} THEN {pair} ELSE '' END"

    listed = " || ".join(map(change, _VALUES))
    return words.as_json.format(
        f"CASE WHEN p.product_id IS NULL THEN '{{}}' ELSE '{{' || substr({listed}, 2) || '}}' END"
    )


_PUBLISHED = "LEFT JOIN product p ON p.account_id = :account AND p.product_id = r.product_id"


def note_rows(words: Words, rows: str) -> str:
    """Write down what is about to change."""
    return f"""
        INSERT INTO product_history (account_id, product_id, run_id, kind, changed_at, changes)
        SELECT :account, r.product_id, :run, r.kind, {words.now}, {_changes(words)} FROM ({rows}) AS r {_PUBLISHED}
    """


def note_gone(words: Words, gone: str) -> str:
    """Write down what is about to be removed."""
    return f"""
        INSERT INTO product_history (account_id, product_id, run_id, kind, changed_at, changes)
        SELECT :account, g.product_id, :run, 'gone', {words.now}, {words.as_json.format("'{}'")} FROM ({gone}) AS g
    """


def keep_rows(words: Words, rows: str) -> str:
    """Keep what would change, as the whole row it would be."""
    return f"""
        INSERT INTO product_diff (snapshot_id, kind, {", ".join(_COLUMNS)}, changes)
        SELECT :snapshot, r.kind, {", ".join(f"r.{name}" for name in _COLUMNS)}, {_changes(words)} FROM ({rows}) AS r {_PUBLISHED}
    """


def keep_gone(words: Words) -> str:
    """Keep what would be removed, as it is."""
    return f"""
        INSERT INTO product_diff (snapshot_id, kind, {", ".join(_COLUMNS)}, changes)
        SELECT :snapshot, 'gone', {", ".join(f"p.{name}" for name in _COLUMNS)}, {words.as_json.format("'{}'")}
        FROM ({STAGED_GONE}) AS g JOIN product p ON p.account_id = :account AND p.product_id = g.product_id
    """
