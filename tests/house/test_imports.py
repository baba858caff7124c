"""Which packages use which names of sqlalchemy, which import-linter cannot see.

Packages below the store declare tables and queries; only `store` connects and writes.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import pytest

from tests.house.sources import modules, name_of

if TYPE_CHECKING:
    from collections.abc import Iterator

STORE_ONLY = {
    "Engine",
    "create_engine",
    "delete",
    "engine",
    "event",
    "ext",
    "insert",
    "orm",
    "pool",
    "update",
}


def store_only_names(source: str) -> set[str]:
    """The names of sqlalchemy in a module that only `store` may use."""
    tree = ast.parse(source)
    aliases = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    return {
        name for node in ast.walk(tree) for name in _names_from_sqlalchemy(node, aliases)
    } & STORE_ONLY


def _names_from_sqlalchemy(node: ast.AST, aliases: set[str]) -> Iterator[str]:
    match node:
        case ast.Import(names=names):
            yield from (
                part
                for alias in names
                if alias.name.startswith("sqlalchemy.")
                for part in alias.name.split(".")[1:]
            )
        case ast.ImportFrom(module=str(module), names=names) if (
            module.split(".")[0] == "sqlalchemy"
        ):
            yield from module.split(".")[1:]
            yield from (alias.name for alias in names)
        case ast.Attribute(value=ast.Name(id="sa" | "sqlalchemy" as name), attr=attribute) if (
            name in aliases
        ):
            yield attribute


def test_rooms_below_the_store_declare_and_never_connect_or_write() -> None:
    rooms = ("access", "alerts", "collection", "http", "inventory", "market", "runs")
    files = modules(*(f"src/penstock/{room}" for room in rooms))
    wrong = {
        name_of(path): names for path in files if (names := store_only_names(path.read_text()))
    }
    assert wrong == {}


@pytest.mark.parametrize(
    "source",
    [
        "from sqlalchemy import create_engine",
        "from sqlalchemy.orm import Session",
        "import sqlalchemy.ext.asyncio",
        "import sqlalchemy as sa\nstatement = sa.insert(table)",
    ],
)
def test_the_check_sees_each_way_to_import(source: str) -> None:
    assert store_only_names(source)


def test_the_check_allows_tables_and_queries() -> None:
    assert not store_only_names(
        "import sqlalchemy as sa\nfrom sqlalchemy.dialects import postgresql\n"
        "table = sa.Table()\nquery = sa.select(table)"
    )
