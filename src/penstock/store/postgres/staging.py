"""Staging on PostgreSQL: COPY into a temporary table on a connection of its own.

Between two pages it holds no transaction open.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
import psycopg
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from penstock.errors import StoreUnavailableError
from penstock.inventory.product import grade_of
from penstock.inventory.tables import STAGED
from penstock.store.postgres.engine import PostgresBackend, copy_rows
from penstock.store.statements.inventory import POSTGRES, create_stage
from penstock.store.statements.products import Normaliser

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from sqlalchemy import Connection, Row

    from penstock.inventory.product import Product
    from penstock.store.session.database import Database

T = TypeVar("T")


class PostgresArea:
    """Where the rows of one inventory are staged and compared: a connection of its own."""

    words = POSTGRES

    def __init__(self, database: Database, *, first: bool) -> None:
        if not isinstance(database.backend, PostgresBackend):
            raise TypeError
        self._database = database
        self._first = first
        self._engine = database.backend.engine()
        self._tails = Normaliser(lambda normalised: tail_of(*normalised))

    async def open(self) -> None:
        """Make it, empty."""
        await self.stage(
            lambda connection: [
                connection.execute(text(statement))
                for statement in create_stage(POSTGRES, "TEMPORARY", first=self._first)
            ]
        )

    async def close(self) -> None:
        """Remove it: the tables go with the connection."""
        await asyncio.to_thread(self._engine.dispose)

    async def stage(self, work: Callable[[Connection], T]) -> T:
        """The result of quick `work` on the area's connection, which also reads the rest."""
        return await self._do(work, hurried=True)

    async def compare(self, work: Callable[[Connection], T]) -> T:
        """The same with more time, when all rows are staged."""

        def compare(connection: Connection) -> T:
            give_time(connection)
            # Right after a first import nothing is known of `product`, and the planner would take
            # its few rows in a loop over all the staged ones.
            connection.execute(text("SET LOCAL enable_nestloop = off"))
            # All of what differs is read, not a tenth of it.
            connection.execute(text("SET LOCAL cursor_tuple_fraction = 1"))
            return work(connection)

        return await self._do(compare, hurried=False)

    async def publish(self, work: Callable[[Connection], T]) -> T:
        """The result of `work` in a transaction that writes published tables; no deadline."""

        def publish(connection: Connection) -> T:
            give_time(connection)
            # What differs is joined with what was staged; a sample says how many there are.
            connection.execute(text("SET LOCAL default_statistics_target = 10"))
            connection.execute(text("ANALYZE inventory_diff, inventory_stage (product_id)"))
            return work(connection)

        return await self._do(publish, hurried=False)

    def put(self, connection: Connection, products: Sequence[Product]) -> None:
        """Stage products."""
        self._copy(
            connection,
            "inventory_stage",
            (copy_lines(piece, self._tails_of(piece)) for piece in _pieces(products)),
        )

    def put_different(self, connection: Connection, rows: Sequence[Row[Any]]) -> None:
        """Note differing rows, with their normalised properties."""
        self._copy(
            connection,
            "inventory_diff",
            (_escaped("".join(map(self._line_of, piece)).encode()) for piece in _pieces(rows)),
        )

    def _tails_of(self, products: Sequence[Product]) -> Sequence[str]:
        return (
            [self._tails.of(one.game_id, one.properties_hash) for one in products]
            if self._first
            else [""] * len(products)
        )

    def _line_of(self, row: Row[Any]) -> str:
        tail = self._tails.of(row.game_id, row.properties.encode())
        return f"{row.product_id}\x1f{row.kind}{tail}\x1e"

    def _copy(self, connection: Connection, table: str, pieces: Iterable[bytes]) -> None:
        copy_rows(connection, f"COPY {table} FROM STDIN {COPY_OPTIONS}", pieces)

    async def _do(self, work: Callable[[Connection], T], *, hurried: bool) -> T:
        try:
            return await self._database.apart(self._engine, work, hurried=hurried)
        except (ProgrammingError, psycopg.errors.UndefinedTable) as error:
            if isinstance(getattr(error, "orig", error), psycopg.errors.UndefinedTable):
                raise StoreUnavailableError(
                    "the staging area was lost with its connection to the database"
                ) from error
            raise


def give_time(connection: Connection) -> None:
    """Lift the time limits of statements for this transaction; SQLite has none.

    A whole inventory takes longer than a page of candles.
    """
    if connection.dialect.name != "postgresql":
        return
    # Compiling the joins takes longer than they do; 64 MB keep the hash of 100,000 rows in memory.
    for setting in ("statement_timeout = '30min'", "jit = off", "work_mem = '64MB'"):
        connection.execute(text(f"SET LOCAL {setting}"))


# What stands for NULL: nobody else knows it, so no text has to be compared with it.
_NULL = secrets.token_hex(6)
# \x1f and \x1e, which no text of people holds, end a value and a row, so that all other signs are
# escaped in the whole piece at once.
COPY_OPTIONS = f"WITH (NULL '{_NULL}', DELIMITER E'\\x1f')"
_ESCAPES = ((b"\\", b"\\\\"), (b"\n", b"\\n"), (b"\r", b"\\r"), (b"\x1e", b"\n"))
_STRANGE = str.maketrans(dict.fromkeys("\x1f\x1e\0", "\N{REPLACEMENT CHARACTER}"))
# Small, so that the server reads one piece while the next is made.
_ROWS_IN_A_PIECE = 500


def copy_lines(products: Sequence[Product], tails: Sequence[str]) -> bytes:
    """Rows for COPY, with a tail each: the values of further columns.

    The three signs that cannot be kept become the replacement character.
    """
    piece = _piece(products, tails)
    in_a_row = len(STAGED) - 1 + tails[0].count("\x1f")
    if (
        piece.count(b"\x1f") != len(products) * in_a_row
        or piece.count(b"\x1e") != len(products)
        or b"\0" in piece
    ):
        piece = _piece(list(map(_cleaned, products)), tails)
    return _escaped(piece)


def tail_of(*values: str | bool | None) -> str:
    """The text of values that come after those of the export."""
    return "".join(f"\x1f{_text_of(value)}" for value in values)


def _text_of(value: str | bool | None) -> object:  # noqa: FBT001 - a value like the others
    if value is None:
        return _NULL
    return value.translate(_STRANGE) if isinstance(value, str) else value


def _pieces(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    for first in range(0, len(rows), _ROWS_IN_A_PIECE):
        yield rows[first : first + _ROWS_IN_A_PIECE]


def _escaped(piece: bytes) -> bytes:
    for sign, escaped in _ESCAPES:
        piece = piece.replace(sign, escaped)
    return piece


def _piece(products: Sequence[Product], tails: Sequence[str]) -> bytes:
    return "".join(map(_line, products, tails)).encode("utf-8", "replace")


def _cleaned(product: Product) -> Product:
    names = ("name_en", "price_currency", "description", "user_data_field", "tag", "graded")
    texts = {name: value for name in names if isinstance(value := getattr(product, name), str)}
    return msgspec.structs.replace(
        product, **{name: value.translate(_STRANGE) for name, value in texts.items()}
    )


def _line(p: Product, tail: str) -> str:
    """In one expression: a join over the values takes twice as long."""
    bundled = _NULL if p.bundled_quantity is None else p.bundled_quantity
    description = _NULL if p.description is None else p.description
    user_data = _NULL if p.user_data_field is None else p.user_data_field
    tag = _NULL if p.tag is None else p.tag
    graded = _NULL if (grade := grade_of(p.graded)) is None else grade
    return (
        f"{p.id}\x1f{p.name_en}\x1f{p.quantity}\x1f{p.price_cents}\x1f{p.price_currency}"
        f"\x1f{p.blueprint_id}\x1f{p.user_id}\x1f{p.game_id}\x1f{p.category_id}"
        f"\x1f{str(p.properties_hash, 'utf-8', 'replace')}\x1f{p.bundle_size}\x1f{bundled}"
        f"\x1f{description}\x1f{user_data}\x1f{tag}\x1f{graded}"
        f"\x1f{str(p.uploaded_images, 'utf-8', 'replace')}{tail}\x1e"
    )
