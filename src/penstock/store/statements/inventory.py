"""The statements of an inventory sync: stage, compare, write only what differs.

Both databases get the same text except for `Words`. A staged row is joined with the published one
by the primary key of `product`; both columns must have the same type, or half of the index is lost.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import BigInteger, Boolean

from penstock.inventory.tables import NORMALISED, STAGED, product

_VALUES = STAGED[1:]
_COLUMNS = (*STAGED, *NORMALISED)
DIFF_COLUMNS = ("product_id", "kind", *NORMALISED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What the databases say differently; `{0}` stands for a column.

    `place` orders rows as they were staged.
    """

    boolean: str
    now: str
    differs: str
    json_of: str
    as_json: str
    place: str


POSTGRES = Words(
    boolean="boolean",
    now="clock_timestamp()",
    differs="{0} IS DISTINCT FROM {1}",
    json_of="coalesce(CAST(to_json({0}) AS text), 'null')",
    as_json="CAST({0} AS jsonb)",
    place="ctid",
)
SQLITE = Words(
    boolean="integer",
    now="CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)",
    differs="{0} IS NOT {1}",
    json_of="json_quote({0})",
    as_json="{0}",
    place="rowid",
)


def create_stage(words: Words, temporary: str = "", *, first: bool) -> list[str]:
    """Create the tables of a staging area.

    The rows as they arrive, without a key; the ids of unreadable rows; which rows differ.
    Normalised properties are with the rows of a `first` import, later with those that differ.
    """
    kinds = {BigInteger: "bigint", Boolean: words.boolean}
    types = {column.name: kinds.get(type(column.type), "text") for column in product.c}
    types["kind"] = "text"
    tables = {
        "inventory_stage": _COLUMNS if first else STAGED,
        "inventory_unread": STAGED[:1],
        "inventory_diff": DIFF_COLUMNS,
    }
    listed = {
        table: ", ".join(f"{name} {types[name]}" for name in columns)
        for table, columns in tables.items()
    }
    return [f"CREATE {temporary} TABLE {table} ({columns})" for table, columns in listed.items()]


TWICE = """
SELECT product_id, count(*) OVER () AS ids FROM inventory_stage
GROUP BY product_id HAVING count(*) > 1 ORDER BY product_id LIMIT 3
"""


def drop_twice(words: Words) -> str:
    """Keep the first row of each id."""
    nth = f"row_number() OVER (PARTITION BY product_id ORDER BY {words.place})"
    numbered = f"SELECT {words.place} AS place, {nth} AS nth FROM inventory_stage"
    later = f"SELECT place FROM ({numbered}) AS numbered WHERE nth > 1"
    return f"DELETE FROM inventory_stage WHERE {words.place} IN ({later})"


STAGED_COUNT = "SELECT count(*) AS rows, count(DISTINCT product_id) AS ids FROM inventory_stage"
UNMAPPED = """
SELECT count(*) FROM inventory_stage s LEFT JOIN mapping m ON m.blueprint_id = s.blueprint_id
WHERE m.blueprint_id IS NULL
"""
GONE = """
INSERT INTO inventory_diff (product_id, kind)
SELECT p.product_id, 'gone'
FROM product p LEFT JOIN inventory_stage s ON s.product_id = p.product_id
WHERE p.account_id = :account AND p.gone_at IS NULL AND s.product_id IS NULL
    AND p.product_id NOT IN (SELECT product_id FROM inventory_unread)
"""
# Ids of rows of which nothing else can be read: these products are there.
UNREAD = "INSERT INTO inventory_unread (product_id) VALUES (:product_id)"


def compare(words: Words) -> str:
    """The staged rows that differ from the published ones, with what their properties need."""
    differs = " OR ".join(words.differs.format(f"s.{name}", f"p.{name}") for name in _VALUES)
    return f"""
        SELECT s.product_id, s.game_id, s.properties,
            CASE WHEN p.product_id IS NULL THEN 'new'
                WHEN p.gone_at IS NOT NULL THEN 'returned' ELSE 'changed' END AS kind
        FROM inventory_stage s
        LEFT JOIN product p ON p.account_id = :account AND p.product_id = s.product_id
        WHERE p.product_id IS NULL OR p.gone_at IS NOT NULL OR {differs}
    """


ALL_NEW = "SELECT s.*, 'new' AS kind FROM inventory_stage s"
DIFFERENT = f"""
SELECT {", ".join(f"s.{name}" for name in STAGED)},
    {", ".join(f"d.{name}" for name in NORMALISED)}, d.kind
FROM inventory_diff d JOIN inventory_stage s ON s.product_id = d.product_id
"""
STAGED_GONE = "SELECT product_id FROM inventory_diff WHERE kind = 'gone'"
KEPT = "SELECT * FROM product_diff WHERE snapshot_id = :snapshot AND kind <> 'gone'"
KEPT_GONE = "SELECT product_id FROM product_diff WHERE snapshot_id = :snapshot AND kind = 'gone'"


def write_rows(rows: str, *, empty: bool) -> str:
    """Put rows into `product`; if that is `empty`, without a check for existing rows."""
    insert = f"""
        INSERT INTO product
            (account_id, {", ".join(_COLUMNS)}, external_stock_id, first_seen_run, changed_run)
        SELECT :account, {", ".join(f"w.{name}" for name in _COLUMNS)},
            CAST(w.product_id AS text), :run, :run
        FROM ({rows}) AS w WHERE w.kind <> 'gone'
    """
    if empty:
        return insert
    assign = ", ".join(f"{name} = excluded.{name}" for name in (*_COLUMNS[1:], "changed_run"))
    return f"{insert} ON CONFLICT (account_id, product_id) DO UPDATE SET {assign}, gone_at = NULL"


def remove_rows(words: Words, gone: str) -> str:
    """Mark products as gone; their rows stay."""
    return f"""
        UPDATE product SET gone_at = {words.now}, changed_run = :run
        WHERE account_id = :account AND product_id IN ({gone})
    """


def _changes(words: Words) -> str:
    """JSON of the columns in which row `r` differs from the published row `p`: old, new."""

    def change(name: str) -> str:
        quote = words.json_of
        if name == "graded":
            quote = f"CASE WHEN {{0}} IN ('true', 'false') THEN {{0}} ELSE {quote} END"
        old, new = f"p.{name}", f"r.{name}"
        pair = f"',\"{name}\":[' || {quote.format(old)} || ',' || {quote.format(new)} || ']'"
        return f"CASE WHEN {words.differs.format(old, new)} THEN {pair} ELSE '' END"

    listed = " || ".join(map(change, _VALUES))
    changed = f"'{{' || substr({listed}, 2) || '}}'"
    return words.as_json.format(f"CASE WHEN p.product_id IS NULL THEN '{{}}' ELSE {changed} END")


_PUBLISHED = "LEFT JOIN product p ON p.account_id = :account AND p.product_id = r.product_id"
_HISTORY = "INSERT INTO product_history (account_id, product_id, run_id, kind, changed_at, changes)"


def note_rows(words: Words, rows: str) -> str:
    """Add what is about to change to the history."""
    return f"""
        {_HISTORY}
        SELECT :account, r.product_id, :run, r.kind, {words.now}, {_changes(words)}
        FROM ({rows}) AS r {_PUBLISHED}
    """


def note_gone(words: Words, gone: str) -> str:
    """Add what is about to be marked as gone to the history."""
    nothing = words.as_json.format("'{}'")
    return f"""
        {_HISTORY}
        SELECT :account, g.product_id, :run, 'gone', {words.now}, {nothing} FROM ({gone}) AS g
    """


def keep_rows(words: Words, rows: str) -> str:
    """Keep the rows as they would become."""
    return f"""
        INSERT INTO product_diff (snapshot_id, kind, {", ".join(_COLUMNS)}, changes)
        SELECT :snapshot, r.kind, {", ".join(f"r.{name}" for name in _COLUMNS)}, {_changes(words)}
        FROM ({rows}) AS r {_PUBLISHED}
    """


def keep_gone(words: Words) -> str:
    """Keep the rows that would be marked as gone, as they are."""
    nothing = words.as_json.format("'{}'")
    return f"""
        INSERT INTO product_diff (snapshot_id, kind, {", ".join(_COLUMNS)}, changes)
        SELECT :snapshot, 'gone', {", ".join(f"p.{name}" for name in _COLUMNS)}, {nothing}
        FROM ({STAGED_GONE}) AS g
        JOIN product p ON p.account_id = :account AND p.product_id = g.product_id
    """
