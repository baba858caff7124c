"""Instruments by name, and the lists of symbols."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import collate, desc, func, or_, select

from penstock.columns import if_given, read_clock
from penstock.market.instrument import Instrument, Status, folded
from penstock.market.tables import exchange_clock, instrument

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import ColumnElement, Connection, Row, Select

    from penstock.market.configured import Configured


@dataclass(frozen=True, slots=True, kw_only=True)
class SymbolFilter:
    """Which instruments to list; `begins` is how one of their names starts, in any ASCII case."""

    exchange: str | None = None
    begins: str | None = None
    status: Status | None = None


@dataclass(frozen=True, slots=True)
class SymbolRow:
    """An instrument; `seen_at`: last in the exchange's list; `gone_at`: since when it is not."""

    id: int
    instrument: Instrument
    seen_at: int
    gone_at: int | None


def list_symbols(
    connection: Connection, wanted: SymbolFilter, *, after_id: int, limit: int
) -> list[SymbolRow]:
    """Instruments after `after_id`, by id."""
    found = select(instrument).where(
        instrument.c.id > after_id,
        if_given(instrument.c.exchange, wanted.exchange),
        if_given(instrument.c.status, wanted.status),
    )
    if wanted.begins is not None:
        prefix, names = folded(wanted.begins), _folded_names(connection)
        found = found.where(or_(*(name.startswith(prefix, autoescape=True) for name in names)))
    rows = connection.execute(found.order_by(instrument.c.id).limit(limit))
    return [SymbolRow(row.id, instrument_of(row), row.seen_at, row.gone_at) for row in rows]


def instruments(
    connection: Connection, exchange: str | None, *, names: Collection[str] | None = None
) -> list[Instrument]:
    """The known instruments of an exchange (None: of any); with `names`, those that have one."""
    return instruments_seen(connection, exchange, names=names)[0]


def instruments_seen(
    connection: Connection, exchange: str | None, *, names: Collection[str] | None = None
) -> tuple[list[Instrument], int]:
    """`instruments`, and when one of them was last in the exchange's list (0: never)."""
    known = select(instrument).where(if_given(instrument.c.exchange, exchange))
    if names is not None:
        known = known.where(has_name(connection, names))
    rows = connection.execute(known).all()
    return [instrument_of(row) for row in rows], max((row.seen_at for row in rows), default=0)


def unified_symbol(connection: Connection, name: str) -> str | None:
    """The one unified symbol of a native name, or of a name in another case."""
    known = instruments(connection, None, names=[name])
    exact = next(
        (match.symbol for match in known if name in {match.symbol, match.native_symbol}), None
    )
    return exact or (known[0].symbol if len(known) == 1 else None)


def instrument_of(row: Row[Any]) -> Instrument:
    """The instrument of a row that has the columns of the table."""
    return Instrument(
        exchange=row.exchange,
        market=row.market,
        native_symbol=row.native_symbol,
        base=row.base,
        quote=row.quote,
        status=Status(row.status),
        gone=row.gone_at is not None,
    )


def has_name(connection: Connection, names: Collection[str]) -> ColumnElement[bool]:
    """Whether an instrument has one of the names, in any ASCII case."""
    asked = {folded(name) for name in names}
    return or_(*(name.in_(asked) for name in _folded_names(connection)))


def says(connection: Connection, part: str) -> ColumnElement[bool]:
    """Whether one of an instrument's names has this part, in any ASCII case."""
    names = _folded_names(connection)
    return or_(*(name.contains(folded(part), autoescape=True) for name in names))


def _folded_names(connection: Connection) -> list[ColumnElement[str]]:
    """Both names of an instrument, as `folded` gives them."""
    # SQLite folds ASCII letters only, and so does this collation of PostgreSQL.
    collation = "BINARY" if connection.dialect.name == "sqlite" else "C"
    columns = (instrument.c.symbol, instrument.c.native_symbol)
    return [func.upper(collate(column, collation)) for column in columns]


def configured_symbols(connection: Connection, configured: Configured) -> list[str]:
    """What is collected when no symbol is named.

    The configured symbols, else those with the highest volume at the last symbol refresh.
    """
    if configured.symbols is not None:
        return list(configured.symbols)
    volume = instrument.c.quote_volume_24h
    traded = (
        _trading(configured.exchange)
        .where(instrument.c.quote == configured.quote, volume.is_not(None))
        .order_by(desc(volume), instrument.c.symbol)
    )
    return list(connection.scalars(traded.limit(configured.most_traded)))


def trading_symbols(connection: Connection, exchange: str, *, limit: int) -> list[str]:
    """The symbols that traded at the last symbol refresh, by name."""
    trading = _trading(exchange).order_by(instrument.c.symbol)
    return list(connection.scalars(trading.limit(limit)))


def _trading(exchange: str) -> Select[Any]:
    return select(instrument.c.symbol).where(
        instrument.c.exchange == exchange, instrument.c.status == Status.TRADING
    )


def exchange_now(connection: Connection, exchange: str) -> int:
    """The exchange's time: the database's clock, plus how far the exchange's was last ahead."""
    ahead = select(exchange_clock.c.ahead_ms).where(exchange_clock.c.exchange == exchange)
    return read_clock(connection) + (connection.scalar(ahead) or 0)
