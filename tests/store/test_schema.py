"""The schema: built fresh it equals the migrated one, also after repeated migrations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import inspect, select, text

from penstock.errors import ConflictError
from penstock.inventory.tables import product
from penstock.store.connect import connect, parse_url
from penstock.store.migrate import migrate, newest_version, version
from penstock.store.schema import create_all
from tests.market_builders import migrate_to, opened
from tests.processes import PIPE, start

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection

    from tests.postgres_server import PostgresServer

_MIGRATE = """
import asyncio, sys
from penstock.store.connect import connect, parse_url
from penstock.store.migrate import migrate

async def main():
    database = connect(parse_url(sys.argv[1]))
    print("ready", flush=True)
    sys.stdin.readline()
    before, after = await migrate(database)
    await database.close()
    print(before, after)

asyncio.run(main())
"""

# What reflection does not show, as the database describes it.
_SQLITE_PROGRAM = (
    "SELECT type, name, sql FROM sqlite_master WHERE type IN ('view', 'trigger') ORDER BY name"
)
_SQLITE_TABLES = (
    "SELECT name, wr, strict FROM pragma_table_list"
    " WHERE schema = 'main' AND name NOT LIKE 'sqlite%' ORDER BY name"
)
_POSTGRES_PROGRAM = """
    SELECT 'view' AS kind, viewname::text AS name, definition AS sql
    FROM pg_views WHERE schemaname = 'public'
    UNION ALL SELECT 'trigger', tgname::text, pg_get_triggerdef(oid)
    FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT 'function', proname::text, pg_get_functiondef(oid)
    FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    UNION ALL SELECT 'constraint', conrelid::regclass || '.' || conname, pg_get_constraintdef(oid)
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    UNION ALL SELECT 'index', indexname::text, indexdef FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL SELECT 'sequence', relname::text, relkind::text
    FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'S'
    ORDER BY 1, 2
"""


def described(connection: Connection) -> dict[str, Any]:
    """A full description of a schema, except the migrations' own table."""
    look = inspect(connection)
    tables = sorted(
        name
        for name in [*look.get_table_names(), *look.get_view_names()]
        if name != "alembic_version"
    )
    sqlite = connection.dialect.name == "sqlite"
    programs = [
        row
        for row in connection.execute(text(_SQLITE_PROGRAM if sqlite else _POSTGRES_PROGRAM))
        if "alembic" not in row[1]
    ]
    return {
        "columns": {
            name: [column | {"type": str(column["type"])} for column in look.get_columns(name)]
            for name in tables
        },
        "keys": {name: look.get_pk_constraint(name) for name in tables},
        "foreign": {name: look.get_foreign_keys(name) for name in tables},
        "unique": {name: sorted(look.get_unique_constraints(name), key=str) for name in tables},
        "checks": {
            name: [] if name in look.get_view_names() else look.get_check_constraints(name)
            for name in tables
        },
        "indexes": {
            name: sorted(
                (
                    index
                    | {"dialect_options": {k: str(v) for k, v in index["dialect_options"].items()}}
                    for index in look.get_indexes(name)
                ),
                key=str,
            )
            for name in tables
        },
        "program": [tuple(row) for row in programs],
        "storage": [
            tuple(row)
            for row in connection.execute(text(_SQLITE_TABLES))
            if row[0] != "alembic_version"
        ]
        if sqlite
        else [],
    }


async def both_schemas(fresh_url: str, migrated_url: str) -> tuple[dict[str, Any], dict[str, Any]]:
    async with opened(fresh_url, migrated=False) as fresh, opened(migrated_url) as migrated:
        await fresh.database.write(create_all)
        return await fresh.database.read(described), await migrated.database.read(described)


def assert_same(fresh: dict[str, Any], migrated: dict[str, Any]) -> None:
    assert fresh["columns"].keys() >= {
        "candle",
        "coverage",
        "gap",
        "instrument",
        "market_data",
        "quarantine",
        "restatement",
        "run",
        "series",
    }
    for aspect, found in fresh.items():
        assert found == migrated[aspect], aspect


async def test_the_schema_built_fresh_equals_the_migrated_one_on_sqlite(tmp_path: Path) -> None:
    assert_same(
        *await both_schemas(
            f"sqlite:///{tmp_path / 'fresh.db'}", f"sqlite:///{tmp_path / 'migrated.db'}"
        )
    )


async def test_the_schema_built_fresh_equals_the_migrated_one_on_postgresql(
    postgres_server: PostgresServer,
) -> None:
    with postgres_server.database() as fresh_url, postgres_server.database() as migrated_url:
        assert_same(*await both_schemas(fresh_url, migrated_url))


async def test_migrating_twice_changes_nothing(empty_database_url: str) -> None:
    async with opened(empty_database_url, migrated=False) as store:
        assert await store.database.read(version) is None
        assert await migrate(store.database) == (None, newest_version())
        before = await store.database.read(described)
        assert await migrate(store.database) == (newest_version(), newest_version())
        assert await store.database.read(described) == before


async def test_four_processes_that_start_at_once_migrate_once(
    postgres_server: PostgresServer,
) -> None:
    with postgres_server.database() as url:
        processes = [await start("-c", _MIGRATE, url, stdin=PIPE, stderr=2) for _ in range(4)]
        for process in processes:
            assert process.stdout is not None
            assert await process.stdout.readline() == b"ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write(b"go\n")
        answers = sorted(
            [(await process.communicate())[0].decode().strip() for process in processes]
        )
    newest = newest_version()
    assert answers == sorted([f"None {newest}"] + [f"{newest} {newest}"] * 3)


async def test_a_database_of_a_newer_penstock_is_left_alone(database_url: str) -> None:
    async with opened(database_url) as store:
        await store.change("UPDATE alembic_version SET version_num = '9999'")
        with pytest.raises(ConflictError, match="9999"):
            await migrate(store.database)
        assert await store.database.read(version) == "9999"


async def test_a_migration_that_fails_leaves_nothing_behind(empty_database_url: str) -> None:
    async with opened(empty_database_url, migrated=False) as store:
        await store.change("CREATE TABLE series (id integer)")
        with pytest.raises(Exception, match=r"series already exists|another program has a series"):
            await migrate(store.database)
        assert (
            await store.database.read(lambda connection: inspect(connection).get_table_names())
        ) == ["series"]


async def test_a_migration_keeps_products_and_stores_their_grade_as_text(
    empty_database_url: str,
) -> None:
    async with opened(empty_database_url, migrated=False) as store:
        await store.database.write(lambda connection: migrate_to(connection, "0005"))
        exported = (
            "name_en, quantity, price_cents, price_currency, blueprint_id, user_id, game_id,"
            " category_id, properties, bundle_size, uploaded_images"
        )
        values = "'Bolt', 1, 2, 'EUR', 3, 4, 5, 6, '{}', 1, '[]'"
        for number, graded in ((1, "true"), (2, "false"), (3, "NULL")):
            columns = (
                "account_id, product_id, graded, external_stock_id, first_seen_run, changed_run"
            )
            await store.change(
                f"INSERT INTO product ({columns}, {exported})"
                f" VALUES (1, {number}, {graded}, '{number}', 8, 9, {values})"
            )
            columns = "snapshot_id, kind, product_id, graded, changes"
            await store.change(
                f"INSERT INTO product_diff ({columns}, {exported})"
                f" VALUES (1, 'new', {number}, {graded}, '{{}}', {values})"
            )
        await migrate(store.database)
        for table in ("product", "product_diff"):
            rows = await store.rows(
                "SELECT product_id, graded, name_en, uploaded_images"
                f" FROM {table} ORDER BY product_id"
            )
            assert [row["graded"] for row in rows] == ["true", "false", None]
            assert {(row["name_en"], row["uploaded_images"]) for row in rows} == {("Bolt", "[]")}
        found = await store.database.read(
            lambda connection: connection.scalars(
                select(product.c.graded).order_by(product.c.product_id)
            ).all()
        )
        assert found == [True, False, None]


async def test_the_published_views_have_their_names_and_columns(database_url: str) -> None:
    async with opened(database_url) as store:
        columns = (await store.database.read(described))["columns"]
    names = {view: [column["name"] for column in columns[view]] for view in ("market_data", "gap")}
    assert names["market_data"][:9] == [
        "exchange",
        "symbol",
        "timeframe",
        "timestamp",
        "open",
        "high",
        "low",
        "close",
        "volume",
    ]
    assert names["gap"][:6] == [
        "exchange",
        "symbol",
        "timeframe",
        "start_time",
        "end_time",
        "reason",
    ]


async def test_a_file_that_is_not_a_database_is_refused_with_a_message(tmp_path: Path) -> None:
    (tmp_path / "penstock.db").write_bytes(
        b"this is not a database, but something dear to its owner\n" * 100
    )
    before = (tmp_path / "penstock.db").read_bytes()
    database = connect(parse_url(f"sqlite:///{tmp_path / 'penstock.db'}"))
    try:
        with pytest.raises(Exception, match="file is not a database"):
            await migrate(database)
    finally:
        await database.close()
    assert (tmp_path / "penstock.db").read_bytes() == before


async def test_a_migration_on_postgresql_can_take_long_but_does_not_wait_for_a_lock_for_ever(
    postgres_database: str,
) -> None:
    names = ("statement_timeout", "idle_in_transaction_session_timeout", "lock_timeout")
    async with opened(postgres_database, timeout_s=7.0) as store:

        def after_the_lock(connection: Connection) -> list[object]:
            store.database.backend.migration_lock(connection)
            return [connection.scalar(text(f"SHOW {name}")) for name in names]

        assert await store.database.write(after_the_lock) == ["0", "0", "7s"]
        assert await store.value("SELECT current_setting('statement_timeout')") == "7s"


async def test_a_migration_keeps_series_and_their_rows_and_lets_a_candle_lack_unknown_amounts(
    empty_database_url: str,
) -> None:
    async with opened(empty_database_url, migrated=False) as store:
        await store.database.write(lambda connection: migrate_to(connection, "0007"))
        await store.database.write(_fill_series)
        before = {
            table: await store.rows(f"SELECT * FROM {table} ORDER BY 1, 2")
            for table in ("coverage", "quarantine", "candle")
        }
        await migrate(store.database)
        assert {
            table: await store.rows(f"SELECT * FROM {table} ORDER BY 1, 2") for table in before
        } == before
        found = await store.rows(
            "SELECT id, instrument_id, timeframe, price_kind FROM series ORDER BY id"
        )
        assert [tuple(row.values()) for row in found] == [
            (3, 1, "1m", "last"),
            (9, 1, "1h", "last"),
        ]
        await store.change(
            "INSERT INTO series (instrument_id, timeframe, price_kind) VALUES (1, '1m', 'mark')"
        )
        await store.change(
            "UPDATE candle SET volume = NULL, quote_volume = NULL, taker_base = NULL,"
            " taker_quote = NULL, trades = NULL"
        )
        assert (
            await store.value(
                "SELECT count(*) AS n FROM market_data WHERE volume IS NULL AND trades IS NULL"
            )
            == 2
        )
        with pytest.raises(Exception, match=r"(?i)foreign key"):
            await store.change("DELETE FROM series WHERE id = 3")
        if store.database.file:
            assert await store.rows("PRAGMA foreign_key_check") == []
            assert await store.value("PRAGMA integrity_check") == "ok"


def _fill_series(connection: Connection) -> None:
    at = "1000" if connection.dialect.name == "sqlite" else "'epoch'"
    later = "2000" if connection.dialect.name == "sqlite" else "'1970-01-02'"
    candle = f"{at}, {later}, '1', '2', '1', '2', '5', '6', '1', '1', 7, 1, true"
    columns = (
        "open_time, close_time, open, high, low, close, volume, quote_volume, taker_base,"
        " taker_quote, trades, run_id, closed"
    )
    names = "id, exchange, market, native_symbol, base, quote, symbol, status, seen_at"
    span = f"{at}, {later}, 'stored', 1"
    for statement in (
        (
            f"INSERT INTO instrument ({names}) VALUES"
            f" (1, 'binance', 'spot', 'BTCUSDT', 'BTC', 'USDT', 'BTC/USDT', 'trading', {at})"
        ),
        "INSERT INTO series (id, instrument_id, timeframe) VALUES (3, 1, '1m'), (9, 1, '1h')",
        (
            "INSERT INTO coverage (series_id, start_time, end_time, state, run_id)"
            f" VALUES (3, {span}), (9, {span})"
        ),
        (
            "INSERT INTO quarantine (series_id, digest, reason, detail, raw, run_id, seen_at)"
            f" VALUES (3, 'x', 'negative', 'd', 'r', 1, {at})"
        ),
        f"INSERT INTO candle (series_id, {columns}) VALUES (3, {candle}), (9, {candle})",
    ):
        connection.exec_driver_sql(statement)
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SELECT setval('series_id_seq', 9)")
