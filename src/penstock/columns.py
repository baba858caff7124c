"""The `metadata` of all tables, and column types that hide the differences of the databases.

In Python a time is integer milliseconds since the epoch, UTC; an exact number is the string that
the exchange sent.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Integer,
    MetaData,
    String,
    Text,
    literal,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import JSONB, NUMERIC, TIMESTAMP
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import expression
from sqlalchemy.sql.visitors import InternalTraversal
from sqlalchemy.types import TypeDecorator

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import ColumnElement, Connection, Dialect, ForeignKey
    from sqlalchemy.sql.compiler import SQLCompiler
    from sqlalchemy.types import TypeEngine

metadata = MetaData()

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)

# SQLite assigns ids only to a column that is exactly INTEGER.
BigId = BigInteger().with_variant(Integer(), "sqlite")

Json = JSON().with_variant(JSONB(), "postgresql")


def required(
    name: str, kind: TypeEngine[Any] | type[TypeEngine[Any]], *rules: ForeignKey, **options: Any
) -> Column[Any]:
    """A column that is never NULL."""
    return Column(name, kind, *rules, nullable=False, **options)


def counter(name: str) -> Column[int]:
    """A column that counts from 0."""
    return required(name, BigInteger, server_default="0")


class _ToMs(expression.ColumnElement[int]):
    """A stored time, read as milliseconds."""

    inherit_cache = True
    _traverse_internals = [("column", InternalTraversal.dp_clauseelement)]  # noqa: RUF012 - as base
    type = BigInteger()

    def __init__(self, column: ColumnElement[Any]) -> None:
        self.column = column


def in_ms(time: ColumnElement[Any]) -> ColumnElement[int]:
    """A stored time as milliseconds, for arithmetic in SQL."""
    return _ToMs(time)


class _AsText(expression.ColumnElement[str]):
    """A stored exact number, read as its text."""

    inherit_cache = True
    type = String()

    def __init__(self, column: ColumnElement[Any]) -> None:
        self.column = column


class DatabaseNow(expression.ColumnElement[int]):
    """The database's clock minus `ago_ms`, so that several machines agree on what is late."""

    # Compiling a statement takes longer than executing it.
    inherit_cache = True
    _traverse_internals = [("ago_ms", InternalTraversal.dp_plain_obj)]  # noqa: RUF012 - as above

    def __init__(self, *, ago_ms: int = 0) -> None:
        self.type = Timestamp()
        self.ago_ms = ago_ms


def read_clock(connection: Connection) -> int:
    """The database's clock as a value: PostgreSQL uses no index for a comparison with the clock."""
    now: int = connection.execute(select(_ToMs(DatabaseNow()))).scalar_one()
    return now


def among(column: ColumnElement[int], ids: Collection[int]) -> ColumnElement[bool]:
    """Whether the column is one of the distinct ids; consecutive ids make one range."""
    low, high = min(ids, default=0), max(ids, default=-1)
    return column.between(low, high) if high - low == len(ids) - 1 else column.in_(ids)


def if_given(column: ColumnElement[Any], value: object) -> ColumnElement[bool]:
    """Whether the column has the value; true for every row if there is none."""
    return true() if value is None else column == value


class _Contains(expression.FunctionElement[bool]):
    """A column, and what it contains as a pattern for SQLite and for PostgreSQL."""

    inherit_cache = True
    type = Boolean()


# What LIKE would take for more than itself.
_ESCAPED = str.maketrans({letter: f"\\{letter}" for letter in "%_\\"})


class _ContainsAscii(expression.FunctionElement[bool]):
    """A column, and what it contains as a pattern of LIKE that has only letters of ASCII."""

    inherit_cache = True
    type = Boolean()


def contains(column: ColumnElement[str], text: str) -> ColumnElement[bool]:
    """Whether the column contains the text, in any case.

    The letters are compared by Python's rule: SQLite, and PostgreSQL under the locale C, know only
    the cases of ASCII.
    """
    if text.isascii():
        # Twice as fast as a pattern of sets.
        return _ContainsAscii(column, literal(f"%{text.translate(_ESCAPED)}%"))
    sets = [_any_case(letter) for letter in text]
    glob = "".join(one if len(one) > 1 or one not in "*?[" else f"[{one}]" for one in sets)
    regex = "".join(one if len(one) > 1 else re.escape(one) for one in sets)
    return _Contains(column, literal(f"*{glob}*"), literal(regex))


def _any_case(letter: str) -> str:
    """The letter, or a set of its cases if it has several."""
    cases = {one for one in (letter, letter.lower(), letter.upper()) if len(one) == 1}
    return f"[{''.join(sorted(cases))}]" if len(cases) > 1 else letter


class FlagOrText(TypeDecorator[bool | str]):
    """Text; `true` and `false` are booleans in Python."""

    impl = Text
    cache_ok = True

    def process_bind_param(
        self,
        value: bool | str | None,  # noqa: FBT001 - the base's signature
        dialect: Dialect,  # noqa: ARG002 - the base's signature
    ) -> str | None:
        return str(value).lower() if isinstance(value, bool) else value

    def process_result_value(
        self,
        value: str | None,
        dialect: Dialect,  # noqa: ARG002 - the base's signature
    ) -> bool | str | None:
        return value == "true" if value in {"true", "false"} else value


class Timestamp(TypeDecorator[int]):
    """`timestamptz` on PostgreSQL, integer ms on SQLite; integer ms in Python."""

    impl = Integer().with_variant(TIMESTAMP(timezone=True), "postgresql")
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> dt.datetime | int | None:
        return (
            value
            if value is None or dialect.name != "postgresql"
            else _EPOCH + dt.timedelta(milliseconds=value)
        )

    def column_expression(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        return _ToMs(column)


class Exact(TypeDecorator[str]):
    """`numeric` on PostgreSQL, which keeps digits as sent; text on SQLite; a string in Python."""

    impl = Text().with_variant(NUMERIC(), "postgresql")
    cache_ok = True

    def column_expression(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """The value as text: building a Decimal costs more than fetching the value."""
        return _AsText(column)


@compiles(_ToMs)
@compiles(_AsText)
def _as_stored(element: _ToMs | _AsText, compiler: SQLCompiler, **context: Any) -> str:
    return compiler.process(element.column, **context)


@compiles(_ToMs, "postgresql")
def _to_ms_postgresql(element: _ToMs, compiler: SQLCompiler, **context: Any) -> str:
    # Doubles are three times as fast as numeric, and exact for ms up to the year 9999.
    return (
        f"CAST(date_part('epoch', {compiler.process(element.column, **context)}) * 1000 AS bigint)"
    )


@compiles(_AsText, "postgresql")
def _as_text_postgresql(element: _AsText, compiler: SQLCompiler, **context: Any) -> str:
    return f"CAST({compiler.process(element.column, **context)} AS text)"


@compiles(DatabaseNow)
def _now(element: DatabaseNow, _compiler: SQLCompiler, **_context: Any) -> str:
    return f"CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER) - {element.ago_ms:d}"


@compiles(DatabaseNow, "postgresql")
def _now_postgresql(element: DatabaseNow, _compiler: SQLCompiler, **_context: Any) -> str:
    return f"clock_timestamp() - interval '{element.ago_ms:d} milliseconds'"


@compiles(_Contains)
def _glob(element: _Contains, compiler: SQLCompiler, **context: Any) -> str:
    column, glob, _ = element.clauses
    return f"{compiler.process(column, **context)} GLOB {compiler.process(glob, **context)}"


@compiles(_Contains, "postgresql")
def _regex(element: _Contains, compiler: SQLCompiler, **context: Any) -> str:
    column, _, regex = element.clauses
    return f"{compiler.process(column, **context)} ~ {compiler.process(regex, **context)}"


@compiles(_ContainsAscii)
def _like(element: _ContainsAscii, compiler: SQLCompiler, **context: Any) -> str:
    column, pattern = (compiler.process(clause, **context) for clause in element.clauses)
    return f"{column} LIKE {pattern} ESCAPE '\\'"


@compiles(_ContainsAscii, "postgresql")
def _ilike(element: _ContainsAscii, compiler: SQLCompiler, **context: Any) -> str:
    column, pattern = (compiler.process(clause, **context) for clause in element.clauses)
    return f'{column} COLLATE "C" ILIKE {pattern}'
