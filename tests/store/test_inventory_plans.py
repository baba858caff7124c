"""How the databases compare and publish: never by scanning one side for each row."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sqlalchemy import event, text

from penstock.inventory.queries.products import list_history
from penstock.inventory.queries.syncs import SyncQueries, list_diff, sync_row
from penstock.runs.queries import RunQueries
from penstock.store.statements import inventory as sql
from tests.shop_builders import NEVER_SHRUNK, opened_shop, product_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

_ROWS = 2_000


def statements(words: sql.Words) -> dict[str, str]:
    rows = sql.DIFFERENT
    return {
        "compare": sql.compare(words),
        "gone": sql.GONE,
        "note": sql.note_rows(words, rows),
        "write": sql.write_rows(rows, empty=False),
        "remove": sql.remove_rows(words, sql.STAGED_GONE),
        "unmapped": sql.UNMAPPED,
        "keep": sql.keep_rows(words, rows),
        "keep gone": sql.keep_gone(words),
        "approve note": sql.note_rows(words, sql.KEPT),
        "approve write": sql.write_rows(sql.KEPT, empty=False),
        "approve remove": sql.remove_rows(words, sql.KEPT_GONE),
    }


_COMPARED = {"compare", "gone", "unmapped"}
_NAMES = sorted(statements(sql.SQLITE))


async def plans(url: str, words: sql.Words) -> dict[str, str]:
    """The plan of each statement right after a first import, without statistics."""
    explain = "EXPLAIN QUERY PLAN" if words is sql.SQLITE else "EXPLAIN"
    async with opened_shop(url) as shop:
        await shop.sync([product_of(number) for number in range(1, _ROWS)])
        run = await shop.opened.run()

        def look(connection: Connection, names: set[str]) -> dict[str, str]:
            found = {}
            for name, statement in statements(words).items():
                if name not in names:
                    continue
                parameters = {
                    key: 1 for key in ("account", "run", "snapshot") if f":{key}" in statement
                }
                rows = connection.execute(text(f"{explain} {statement}"), parameters)
                found[name] = "\n".join(str(row[-1]) for row in rows)
            return found

        async with shop.inventory.staging(shop.opened.context(run), shop.account) as staging:
            await staging.add(
                [product_of(number, quantity=number % 3) for number in range(100, _ROWS + 100)]
            )
            await staging.compare(NEVER_SHRUNK)
            compared = await staging._area.compare(lambda connection: look(connection, _COMPARED))
            return compared | await staging._area.publish(
                lambda connection: look(connection, {*_NAMES} - _COMPARED)
            )


async def test_sqlite_compares_by_an_index(sqlite_database: str) -> None:
    found = await plans(sqlite_database, sql.SQLITE)
    assert sorted(found) == _NAMES
    for name, plan in found.items():
        inner = [line for line in plan.splitlines() if re.match(r"SCAN", line)]
        assert len(inner) <= 1 + (name == "remove"), f"{name}\n{plan}"
        if name.startswith("approve"):
            assert inner == [], f"{name}\n{plan}"
        if name == "gone":
            # An untyped column of the staged rows would make this one useless.
            assert re.search(r"SEARCH s USING (COVERING )?INDEX inventory_stage_id", plan), plan
        if name in {"compare", "note", "keep", "approve note"}:
            assert re.search(
                r"SEARCH p USING (COVERING )?INDEX \S+ \(account_id=\? AND product_id=\?\)", plan
            ), f"{name}\n{plan}"


async def test_postgresql_never_scans_a_table_for_each_row(postgres_database: str) -> None:
    found = await plans(postgres_database, sql.POSTGRES)
    assert sorted(found) == _NAMES
    for name, plan in found.items():
        lines = plan.splitlines()
        for at, line in enumerate(lines):
            # The second child of a nested loop is executed for each row.
            if "Nested Loop" not in line:
                continue
            depth = line.index("Nested Loop")
            children = [
                line for line in lines[at + 1 :] if line.startswith(" " * (depth + 2) + "->")
            ][:2]
            assert "Seq Scan" not in children[1], f"{name}\n{plan}"


# ── Reading ───────────────────────────────────────────────────────────────────

_ACCOUNT, _KEPT = 1, 2
_SYNCS = SyncQueries(RunQueries(listed_s=300, stuck_after_s=1_800))
_PAGES: dict[str, Callable[[Connection], object]] = {
    "diff": lambda connection: list_diff(connection, _KEPT, limit=50),
    "diff, later": lambda connection: list_diff(connection, _KEPT, after=("gone", 50), limit=50),
    "diff, one kind": lambda connection: list_diff(connection, _KEPT, kind="changed", limit=50),
    "diff, one kind, later": lambda connection: list_diff(
        connection, _KEPT, kind="changed", after=("changed", 900), limit=50
    ),
    "history": lambda connection: list_history(connection, 900, account_id=_ACCOUNT, limit=50),
    "history of any account": lambda connection: list_history(connection, 900, limit=50),
    "newest sync": lambda connection: _SYNCS.newest(connection, _ACCOUNT),
    "sync of a run": lambda connection: sync_row(connection, 1),
}


def explained(connection: Connection, read: Callable[[Connection], object], explain: str) -> str:
    """The plans of the statements that a reader sends."""
    sent: list[tuple[str, Any]] = []

    def note(*given: object) -> None:
        sent.append((str(given[2]), given[3]))

    event.listen(connection, "before_cursor_execute", note)
    try:
        read(connection)
    finally:
        event.remove(connection, "before_cursor_execute", note)
    rows = [
        row
        for statement, parameters in sent
        for row in connection.exec_driver_sql(f"{explain} {statement}", parameters)
    ]
    return "\n".join(str(row[-1]) for row in rows)


async def page_plans(url: str, explain: str) -> dict[str, str]:
    async with opened_shop(url) as shop:
        await shop.sync([product_of(number) for number in range(1, _ROWS)])
        kept = await shop.sync(
            [product_of(number, quantity=number % 3) for number in range(100, _ROWS + 100)],
            keep=True,
        )
        assert (shop.account.id, kept.run.id) == (_ACCOUNT, _KEPT)
        if not shop.opened.database.file:
            # As after a day; SQLite is never analysed.
            await shop.opened.change("ANALYZE")

        def look(connection: Connection) -> dict[str, str]:
            return {name: explained(connection, read, explain) for name, read in _PAGES.items()}

        return await shop.opened.database.read(look)


async def test_sqlite_reads_no_more_than_a_page_and_sorts_nothing(sqlite_database: str) -> None:
    for name, plan in (await page_plans(sqlite_database, "EXPLAIN QUERY PLAN")).items():
        assert not re.search(r"SCAN product|TEMP B-TREE", plan), f"{name}\n{plan}"
        if name == "newest sync":
            assert "inventory_sync_account" in plan, plan
            assert "SCAN" not in plan, plan


async def test_postgresql_reads_pages_of_differences_by_their_key(postgres_database: str) -> None:
    for name, plan in (await page_plans(postgres_database, "EXPLAIN")).items():
        assert not re.search(r"Seq Scan on product(_diff)?\b", plan), f"{name}\n{plan}"
        if name.startswith("diff"):
            assert re.search(r"Index Scan using product_diff_pkey", plan), f"{name}\n{plan}"
            assert "Sort" not in plan, f"{name}\n{plan}"
