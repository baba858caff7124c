"""Commands on a PostgreSQL that lacks something, and every line of docs/postgresql.md."""

from __future__ import annotations

import re
import shlex
import signal
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.acceptance.commands import Penstock
from tests.acceptance.seller import TOKEN, a_seller
from tests.databases import bring_up_to_date
from tests.house.sources import ROOT
from tests.postgres_server import standby, start_postgres
from tests.roles import a_place

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.databases import Databases
    from tests.postgres_server import PostgresServer

_COMMANDS = [
    "serve --port 0",
    "worker",
    "migrate",
    "collect BTC/USDT -t 1h",
    "sync shop",
    "config add BTC/USDT",
    "token create --name me --scope read",
]


async def test_each_command_says_in_one_line_what_a_role_lacks(
    penstock: Penstock, databases: Databases
) -> None:
    with a_place(databases.server, "template0") as place:
        penstock = penstock.with_settings(database_url=place.url)
        refused = await penstock.all_of(*_COMMANDS)
        report = await penstock("doctor")
    wanted = f"GRANT TEMPORARY ON DATABASE {place.name} TO {place.role}"
    for command, ended in zip(_COMMANDS, refused, strict=True):
        assert (ended.code, wanted in ended.complaint) == (4, True), (command, ended)
    assert report.code == 1
    assert report.err == ""
    assert any(
        line.startswith("FAIL database: ") and line.endswith(wanted)
        for line in _unwrapped(report.out)
    )


def _unwrapped(printed: str) -> list[str]:
    """Printed lines without the line breaks of the terminal's width."""
    return (
        re.sub(r"\n(?!ok |FAIL|wait|database|The )", " ", printed).replace("  ", " ").splitlines()
    )


async def test_everything_works_in_a_schema_of_its_own(
    penstock: Penstock, databases: Databases
) -> None:
    with a_place(databases.server, "template0") as place:
        place.run(
            "GRANT TEMPORARY ON DATABASE {name} TO {role}",
            "CREATE SCHEMA shop AUTHORIZATION {role}",
        )
        url = place.with_options("-csearch_path=shop")
        collected = await penstock.with_settings(database_url=url)(
            "collect", "BTC/USDT", "-t", "1m", "--limit", "7"
        )
        assert collected.code == 0, collected.err
        async with a_seller(penstock, url) as seller:
            added = await seller.penstock.with_settings(cardtrader_token=TOKEN)(
                "accounts", "add", "shop"
            )
            assert added.code == 0, added.err
            synced = await seller.penstock("sync", "shop")
            assert synced.code == 0, synced.err
        async with (
            penstock.with_settings(database_url=url).serving("--no-worker") as service,
            penstock.with_settings(database_url=url).started("worker") as worker,
        ):
            await worker.says("The worker takes runs")
            task = await service.ended(await service.start("ETHUSDT", "1m", limit=5))
            assert task["status"] == "completed", task
            await worker.ended(signal.SIGTERM)
        assert place.values("SELECT count(*) FROM shop.candle") == [12]
        assert place.values("SELECT count(*) FROM shop.product") == [200]
        assert place.values("SELECT tablename FROM pg_tables WHERE schemaname = 'public'") == []


async def test_a_standby_can_be_read_and_is_not_written_to(penstock: Penstock) -> None:
    with standby(bring_up_to_date) as url:
        penstock = penstock.with_settings(database_url=url)
        series, migrated, report = await penstock.all_of("series", "migrate", "doctor")
    assert series.code == 0, series.err
    assert migrated.code == 4
    assert "this server is a standby, which only reads; use the address of" in migrated.complaint
    assert (report.code, report.err) == (1, "")
    assert "a standby" in report.out


_PAGE = (ROOT / "docs/postgresql.md").read_text(encoding="utf-8")
_BLOCKS = re.findall(r"^```(sql|sh)\n(.*?)^```$", _PAGE, flags=re.MULTILINE | re.DOTALL)


@pytest.fixture
def administered() -> Iterator[tuple[PostgresServer, str]]:
    """A server without a role `penstock`, and the URL of its administrator."""
    with start_postgres(durable=False) as server:
        run_as(server.url, "CREATE ROLE postgres SUPERUSER LOGIN PASSWORD 'admin'")
        administrator = f"postgresql://postgres:admin@{_address(server)}/postgres"
        run_as(administrator, "ALTER ROLE penstock RENAME TO founder")
        yield server, administrator


def run_as(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def _address(server: PostgresServer) -> str:
    return urlsplit(server.url).netloc.rpartition("@")[2]


async def test_every_statement_and_command_of_the_page_on_postgresql_works(
    tmp_path: Path, exchange: str, administered: tuple[PostgresServer, str]
) -> None:
    server, administrator = administered
    passwords = dict(re.findall(r"CREATE ROLE (\w+) LOGIN PASSWORD '(.+?)'", _PAGE))
    penstock = Penstock(tmp_path).with_settings(binance_url=exchange)
    done = []
    for kind, block in _BLOCKS:
        if kind == "sql":
            done += _psql(administrator, block, passwords)
            continue
        for line in block.splitlines():
            words = shlex.split(line)
            if words[0] == "export":
                name, _, url = words[1].partition("=")
                assert name == "PENSTOCK_DATABASE_URL"
                url = url.replace("localhost:5432", _address(server))
                penstock = penstock.with_settings(database_url=url)
            else:
                assert words[0] == "penstock"
                ended = await penstock(*words[1:])
                assert ended.code == 0, (line, ended)
                done.append(line)
    assert len(done) > 20


def _psql(url: str, block: str, passwords: dict[str, str]) -> list[str]:
    """Run the statements of a block as psql does, with its command for another connection."""
    statements = []
    for part in re.split(r"^(\\c .*)\n", block, flags=re.MULTILINE):
        if part.startswith("\\c "):
            _, database, *role = part.split()
            url = f"{url.rpartition('/')[0]}/{database}"
            for name in role:
                url = f"postgresql://{name}:{passwords[name]}@{url.rpartition('@')[2]}"
            continue
        found = [one.strip() for one in part.split(";\n") if one.strip()]
        run_as(url, *found)
        statements += found
    return statements
