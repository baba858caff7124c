"""A PostgreSQL role that lacks a right gets one line, and the statement in it mends that."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from penstock.errors import StoreUnavailableError
from penstock.opening import check_database, migrate_database, open_reader
from penstock.settings import load_settings
from penstock.store.migrate import newest_version
from tests.roles import Place, a_place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from tests.databases import Databases

# What a role needs in a database that is empty, and in one that has the tables.
_EMPTY = (
    "GRANT TEMPORARY ON DATABASE {name} TO {role}",
    "GRANT USAGE, CREATE ON SCHEMA public TO {role}",
)
_MIGRATED = (
    "GRANT TEMPORARY ON DATABASE {name} TO {role}",
    "GRANT USAGE ON SCHEMA public TO {role}",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}",
    "GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {role}",
)
_OWN_SCHEMA = "-csearch_path=shop"


@pytest.fixture
def empty(databases: Databases) -> Iterator[Place]:
    """A database without tables, and a role."""
    with a_place(databases.server, "template0") as place:
        yield place


@pytest.fixture
def migrated(databases: Databases) -> Iterator[Place]:
    """A database with the tables of another role, and a role."""
    with a_place(databases.server, databases.migrated) as place:
        yield place


async def refusal(url: str) -> str:
    """The one line with which a migration and a check end; nothing was made."""
    said = []
    for command in (migrate_database, check_database):
        with pytest.raises(StoreUnavailableError) as refused:
            await command(load_settings(database_url=url))
        said.append(str(refused.value))
    assert said[0] == said[1]
    assert "\n" not in said[0]
    assert not hasattr(refused.value, "__notes__")
    return said[0]


async def becomes_usable(place: Place, url: str, message: str) -> None:
    """Do what the message says, until the database can be used."""
    place.mend(message)
    assert (await migrate_database(load_settings(database_url=url)))[1] == newest_version()
    assert (await check_database(load_settings(database_url=url))).startswith("PostgreSQL ")


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        (_EMPTY[:1], "may not create tables in the schema public"),
        (
            (*_EMPTY[:1], "GRANT USAGE ON SCHEMA public TO {role}"),
            "may not create tables in the schema public",
        ),
        (_EMPTY[1:], "may not create temporary tables in it"),
        (
            (
                *_EMPTY,
                "ALTER ROLE {role} IN DATABASE {name} SET default_transaction_read_only = on",
            ),
            "its transactions are read-only",
        ),
        (
            (*_EMPTY, "ALTER ROLE {role} IN DATABASE {name} SET search_path = shop, public"),
            "it has no schema shop, and the role {role} may not make one",
        ),
        (
            (
                *_EMPTY,
                'CREATE SCHEMA "My Shop"',
                """ALTER ROLE {role} IN DATABASE {name} SET search_path = 'My Shop'""",
            ),
            'may not create tables in the schema "My Shop"',
        ),
    ],
)
async def test_in_an_empty_database_the_missing_right_is_named_and_mended(
    empty: Place, given: tuple[str, ...], missing: str
) -> None:
    empty.run(*given)
    said = await refusal(empty.url)
    assert missing.format(role=empty.role) in said
    assert empty.role in said
    assert empty.values("SELECT 1 FROM pg_class WHERE relname = 'run'") == []
    await becomes_usable(empty, empty.url, said)


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        (_MIGRATED[1:], "may not create temporary tables in it"),
        (
            _MIGRATED[:2],
            "may not DELETE, INSERT, SELECT, UPDATE in the tables of the schema public",
        ),
        (
            (*_MIGRATED, "REVOKE INSERT ON candle FROM {role}"),
            "may not INSERT in the tables of the schema public",
        ),
        (
            (*_MIGRATED, "REVOKE UPDATE ON procrastinate_jobs FROM {role}"),
            "may not UPDATE in the tables of the schema public",
        ),
        (_MIGRATED[:3], "may not use the sequences of the tables of the schema public"),
    ],
)
async def test_a_role_that_does_not_own_the_tables_is_told_what_it_lacks(
    migrated: Place, given: tuple[str, ...], missing: str
) -> None:
    migrated.run(*given)
    said = await refusal(migrated.url)
    assert f"the role {migrated.role} {missing}" in said
    await becomes_usable(migrated, migrated.url, said)


async def test_a_role_without_any_right_on_the_schema_is_told_that(migrated: Place) -> None:
    migrated.run(_MIGRATED[0])
    said = await refusal(migrated.url)
    assert "GRANT USAGE, CREATE ON SCHEMA public TO " in said


async def test_tables_of_another_role_are_not_migrated_by_this_one(migrated: Place) -> None:
    migrated.run(*_MIGRATED, "UPDATE alembic_version SET version_num = '0008'")
    said = await refusal(migrated.url)
    [owner] = migrated.values("SELECT tableowner FROM pg_tables WHERE tablename = 'run'")
    assert f"they belong to the role {owner}; run `penstock migrate` as that role, or" in said
    assert said.endswith(f"GRANT {owner} TO {migrated.role}")


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        ("ALTER ROLE {role} PASSWORD 'another'", "the password of the role {role} is wrong"),
        ("ALTER ROLE {role} NOLOGIN", "the role {role} may not log in"),
        (
            "REVOKE CONNECT ON DATABASE {name} FROM {role}",
            "the role {role} may not connect to the database {name}",
        ),
    ],
)
async def test_a_refused_connection_says_what_would_let_it_in(
    empty: Place, change: str, missing: str
) -> None:
    empty.run(*_EMPTY, change)
    said = await refusal(empty.url)
    assert missing.format(role=empty.role, name=empty.name) in said
    place = Place(empty.administrator, empty.role, "new" if "PASSWORD" in said else empty.password)
    await becomes_usable(place, place.url, said)
    assert empty.password not in said


async def test_a_missing_database_and_a_missing_role_are_named(empty: Place) -> None:
    nowhere = empty.url.replace(empty.name, "nowhere")
    assert (await refusal(nowhere)).endswith(
        f"there is no database nowhere; run as an administrator: "
        f"CREATE DATABASE nowhere OWNER {empty.role}"
    )
    assert "the password of the role nobody is wrong, or there is no such role" in await refusal(
        empty.url.replace(empty.role, "nobody")
    )
    without = empty.url.replace(f":{empty.password}", "")
    assert "the server wants a password; write it into the URL" in await refusal(without)


async def test_a_database_in_another_encoding_is_refused_before_it_gets_tables(
    databases: Databases, empty: Place
) -> None:
    name = f"{empty.name}_ascii"
    empty.run(
        f"CREATE DATABASE {name} OWNER {empty.role}"
        " ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0"
    )
    try:
        said = await refusal(empty.url.replace(empty.name, name))
        assert "its encoding is SQL_ASCII, and Penstock needs UTF8" in said
        with psycopg.connect(databases.server.database_url(name)) as connection:
            tables = connection.execute("SELECT count(*) FROM pg_class WHERE relname = 'run'")
            assert tables.fetchone() == (0,)
    finally:
        empty.run(f"DROP DATABASE {name}")


async def test_a_table_of_another_program_is_not_taken_for_ours(empty: Place) -> None:
    empty.run(*_EMPTY, "CREATE TABLE run (number integer)")
    with pytest.raises(StoreUnavailableError, match="another program has a run in public"):
        await migrate_database(load_settings(database_url=empty.url))
    assert empty.values("SELECT tablename FROM pg_tables WHERE schemaname = 'public'") == ["run"]


async def test_another_program_that_uses_alembic_is_not_taken_for_a_newer_penstock(
    empty: Place,
) -> None:
    empty.run(
        *_EMPTY,
        "CREATE TABLE alembic_version (version_num text)",
        "INSERT INTO alembic_version VALUES ('8a1f')",
        "GRANT ALL ON alembic_version TO {role}",
    )
    said = await refusal(empty.url)
    assert "the alembic_version in the schema public is another program's" in said
    empty.run("GRANT CREATE ON DATABASE {name} TO {role}")
    apart = load_settings(database_url=empty.with_options("-csearch_path=penstock"))
    assert (await migrate_database(apart))[1] == newest_version()


async def test_a_schema_in_the_url_gets_all_tables_and_is_made_when_the_role_may(
    empty: Place,
) -> None:
    url = empty.with_options(_OWN_SCHEMA)
    empty.run(*_EMPTY)
    said = await refusal(url)
    assert said.endswith(f"CREATE SCHEMA shop AUTHORIZATION {empty.role}")
    empty.run("GRANT CREATE ON DATABASE {name} TO {role}")
    await migrate_database(load_settings(database_url=url))
    places = "SELECT DISTINCT schemaname FROM pg_tables WHERE schemaname !~ '^(pg_|information_)'"
    assert empty.values(places) == ["shop"]
    functions = """
        SELECT DISTINCT nspname FROM pg_proc JOIN pg_namespace ON pg_namespace.oid = pronamespace
        WHERE nspname !~ '^(pg_|information_)'"""
    assert empty.values(functions) == ["shop"]
    assert (await check_database(load_settings(database_url=url))).startswith("PostgreSQL ")


async def test_a_second_penstock_beside_the_first_one_is_refused(migrated: Place) -> None:
    migrated.run(*_MIGRATED, "CREATE SCHEMA shop AUTHORIZATION {role}")
    said = await refusal(migrated.with_options(_OWN_SCHEMA))
    assert "its schema public holds another Penstock" in said
    assert migrated.values("SELECT tablename FROM pg_tables WHERE schemaname = 'shop'") == []


@pytest.mark.parametrize("where", ["the URL", "PGOPTIONS"])
async def test_other_options_of_a_session_are_kept_beside_the_deadlines(
    empty: Place, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty.run(*_EMPTY)
    options = "-c work_mem=2MB -c statement_timeout=0"
    if where == "PGOPTIONS":
        monkeypatch.setenv("PGOPTIONS", options)
    url = empty.url if where == "PGOPTIONS" else empty.with_options(options)
    settings = load_settings(database_url=url, database_timeout_s=7)
    await migrate_database(settings)
    async with open_reader(settings) as database:
        assert await database.read(_session) == ("2MB", "7s", "UTF8")


def _session(connection: Connection) -> tuple[str, ...]:
    names = ("work_mem", "statement_timeout", "client_encoding")
    return tuple(str(connection.exec_driver_sql(f"SHOW {name}").scalar()) for name in names)


async def test_a_role_that_may_only_read_can_read(migrated: Place) -> None:
    migrated.run(_MIGRATED[1], "GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
    async with open_reader(load_settings(database_url=migrated.url)) as database:
        assert await database.read(_count) == 0


def _count(connection: Connection) -> int:
    return int(connection.exec_driver_sql("SELECT count(*) FROM candle").scalar_one())


async def test_a_right_taken_away_from_a_running_process_is_named(migrated: Place) -> None:
    migrated.run(*_MIGRATED)
    async with open_reader(load_settings(database_url=migrated.url)) as database:
        assert await database.read(_count) == 0
        migrated.run("REVOKE SELECT ON candle FROM {role}")
        with pytest.raises(StoreUnavailableError) as refused:
            await database.read(_count)
        assert f"the role {migrated.role} may not use candle" in str(refused.value)
        migrated.mend(str(refused.value))
        assert await database.read(_count) == 0


async def test_what_users_wrote_is_never_taken_for_a_missing_right(migrated: Place) -> None:
    """A value in an error of a statement may read like one."""
    migrated.run(*_MIGRATED)
    said = "permission denied for table candle"

    def wrong(connection: Connection) -> None:
        connection.exec_driver_sql("SELECT CAST(%(said)s AS integer)", {"said": said})

    async with open_reader(load_settings(database_url=migrated.url)) as database:
        with pytest.raises(Exception, match="invalid input syntax") as refused:
            await database.read(wrong)
    assert not isinstance(refused.value, StoreUnavailableError)
