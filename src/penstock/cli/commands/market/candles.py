"""`penstock candles`: shows stored candles."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from penstock.cli.options import Database, Exchange, OpensBefore, OpensFrom
from penstock.cli.reading import read
from penstock.cli.shown.terminal import err, out, print_json, show_time, table_lines, time_or_none
from penstock.market.instrument import parse_timeframes
from penstock.market.queries.candles import CandleQuery, read_candles
from penstock.market.queries.gaps import SeriesFilter, list_gaps

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from penstock.market.queries.candles import StoredCandle
    from penstock.market.queries.gaps import Gap
    from penstock.store.session.database import Transaction

_MOST_GAPS = 1_000


def candles(
    symbol: Annotated[str, typer.Argument(metavar="SYMBOL", help="BTC/USDT or BTCUSDT.")],
    timeframe: Annotated[
        str, typer.Option("-t", "--timeframe", metavar="STEP", help="One timeframe, such as 1h.")
    ],
    exchange: Exchange = "binance",
    limit: Annotated[
        int, typer.Option(min=1, max=100_000, metavar="N", help="Show the newest N.")
    ] = 20,
    start: OpensFrom = None,
    end: OpensBefore = None,
    database: Database = None,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print one JSON array with every column, times in ms."),
    ] = False,
) -> None:
    """Show stored candles of a series, the newest last.

    Examples:
      penstock candles BTC/USDT -t 1h
      penstock candles BTCUSDT -t 1m --start 2025-01-31 --limit 1440 --json
    """
    (step,) = parse_timeframes([timeframe])
    query = CandleQuery(
        exchange=exchange,
        symbol=symbol,
        timeframe=step,
        limit=limit,
        start=time_or_none(start, field="start"),
        end=time_or_none(end, field="end"),
    )
    rows, missing = read(database, lambda connection: _read(connection, query))
    if as_json:
        print_json([row._asdict() for row in rows])
    elif rows:
        for line in _lines(f"{symbol} {step}", rows, missing):
            out.print(line)
    else:
        err.print(f"no stored candles of {symbol} {step} in that range")
        for gap in missing:
            err.print(_gap(gap))


def _read(
    connection: Transaction, query: CandleQuery
) -> tuple[Sequence[StoredCandle], Sequence[Gap]]:
    """The candles, and the gaps between and around them."""
    rows = read_candles(connection, query)
    shown = SeriesFilter(
        exchange=query.exchange,
        symbol=query.symbol,
        timeframe=query.timeframe.value,
        start=rows[0].open_time if len(rows) == query.limit else query.start,
        end=query.end,
    )
    return rows, list_gaps(connection, shown, reason=None, after=None, limit=_MOST_GAPS)


def _gap(gap: Gap) -> str:
    return f" {show_time(gap.span.start)}  {gap.candles:,} missing: {gap.span.state.value}"


def _lines(title: str, rows: Sequence[StoredCandle], missing: Sequence[Gap]) -> Iterator[str]:
    """The table, with a separate line for each gap, in its place.

    A column for the gaps would make the table wider than most terminals.
    """
    lines = table_lines(_table(title, rows))
    head = len(lines) - len(rows)
    yield from lines[:head]
    left = deque(missing)
    for row, line in zip(rows, lines[head:], strict=True):
        while left and left[0].span.start < row.open_time:
            yield _gap(left.popleft())
        yield line
    yield from map(_gap, left)


def _table(title: str, rows: Sequence[StoredCandle]) -> Table:
    table = Table("opened (UTC)", title=title, box=None, title_justify="left")
    for name in ("open", "high", "low", "close", "volume"):
        table.add_column(name, justify="right")
    table.add_column("")
    for row in rows:
        numbers = (row.open, row.high, row.low, row.close, row.volume)
        opened, state = show_time(row.open_time), "" if row.closed else "open"
        table.add_row(opened, *map(_short, numbers), state)
    return table


def _short(number: str | None) -> str:
    """Without trailing zeros; a dash for a value that the exchange does not send."""
    if number is None:
        return "–"
    return number.rstrip("0").rstrip(".") if "." in number else number
