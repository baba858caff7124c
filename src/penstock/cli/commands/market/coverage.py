"""`penstock series`, `coverage` and `gaps`: what is stored, what is missing, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from penstock.api.schemas.market.coverage import GapItem, SeriesComplete
from penstock.cli.options import MOST_SHOWN, Database, Exchanges, JsonArrayIso, Limit
from penstock.cli.reading import read
from penstock.cli.shown.terminal import (
    err,
    print_json,
    print_rows,
    print_sentence,
    show_time,
    time_or_none,
)
from penstock.errors import InvalidInputError
from penstock.market.collect.coverage import SpanState
from penstock.market.instrument import parse_timeframes
from penstock.market.queries.coverage import all_series_coverage
from penstock.market.queries.gaps import REASONS, SeriesFilter, list_gaps
from penstock.moment import iso

if TYPE_CHECKING:
    from collections.abc import Sequence

    from penstock.market.collect.coverage import Span
    from penstock.market.queries.coverage import SeriesCoverage
    from penstock.market.queries.gaps import Gap

_MOST_SERIES = 500
# The spans of a page are shared by its series.
_SERIES_WITH_SPANS = 10

Symbol = Annotated[
    str | None,
    typer.Argument(metavar="SYMBOL", help="Only this symbol: BTC/USDT or BTCUSDT."),
]
Step = Annotated[
    str | None,
    typer.Option(
        "-t",
        "--timeframe",
        metavar="STEP",
        help="Only this timeframe, such as 1h.",
    ),
]
Start = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="Only ranges after this time (UTC)."),
]
End = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="Only ranges before this time (UTC)."),
]


def series(
    symbol: Symbol = None,
    timeframe: Step = None,
    exchange: Exchanges = None,
    database: Database = None,
    as_json: JsonArrayIso = False,
) -> None:
    """List the series, their range and completeness.

    Examples:
      penstock series
      penstock series BTC/USDT --json
    """
    found = _all_series(database, _filter(symbol, timeframe, exchange), _MOST_SERIES)
    if as_json:
        print_json([_fields(one, "spans", "more_spans") for one in found])
        return
    names = ("exchange", "symbol", "step", "from (UTC)", "to (UTC)", "complete")
    rows = [
        (
            one.exchange,
            one.symbol,
            one.timeframe,
            show_time(one.start),
            show_time(one.end),
            _percent(one),
        )
        for one in found
    ]
    _show("series", names, rows, whole=("symbol", "step", "complete"), right=("complete",))


def coverage(
    symbol: Symbol = None,
    timeframe: Step = None,
    exchange: Exchanges = None,
    start: Start = None,
    end: End = None,
    database: Database = None,
    as_json: JsonArrayIso = False,
) -> None:
    """Show the stored and missing ranges of a series.

    A missing range is listed with its state and how often it was asked for.

    Examples:
      penstock coverage BTC/USDT -t 1h
    """
    found = _all_series(
        database,
        _filter(symbol, timeframe, exchange, start, end),
        _SERIES_WITH_SPANS,
    )
    if as_json:
        print_json([_fields(one) for one in found])
        return
    names = ("series", "from (UTC)", "to (UTC)", "state", "asked", "again (UTC)")
    rows = [
        (_name(one), show_time(span.start), show_time(span.end), span.state.value, *_asked(span))
        for one in found
        for span in one.spans
    ]
    _show("range", names, rows, whole=("state", "asked"), right=("asked",))
    for one in found:
        if one.more:
            before = iso(one.spans[0].start)
            print_sentence(f"{_name(one)} has older ranges; show them with --end {before}", err)


def gaps(
    symbol: Symbol = None,
    timeframe: Step = None,
    exchange: Exchanges = None,
    reason: Annotated[
        str | None,
        typer.Option(metavar="WORD", help=f"Only {', '.join(REASONS)}."),
    ] = None,
    start: Start = None,
    end: End = None,
    limit: Limit = 100,
    database: Database = None,
    as_json: JsonArrayIso = False,
) -> None:
    """List what is missing, with the reason.

    Examples:
      penstock gaps
      penstock gaps BTC/USDT -t 1m --reason outage
    """
    query, state = _filter(symbol, timeframe, exchange, start, end), _reason(reason)
    found = read(
        database,
        lambda connection: list_gaps(connection, query, reason=state, after=None, limit=limit + 1),
    )
    shown = found[:limit]
    if as_json:
        print_json([GapItem.of(gap).values() for gap in shown])
        return
    names = ("series", "from (UTC)", "to (UTC)", "candles", "reason", "asked", "again (UTC)")
    rows = [
        (
            _name(gap),
            show_time(gap.span.start),
            show_time(gap.span.end),
            f"{gap.candles:,}",
            gap.span.state.value,
            *_asked(gap.span),
        )
        for gap in shown
    ]
    whole = ("candles", "reason", "asked")
    _show("gap", names, rows, whole=whole, right=("candles", "asked"))
    for state_shown in dict.fromkeys(gap.span.state for gap in shown):
        print_sentence(f"{state_shown.value}: {REASONS[state_shown]}", err)
    if len(found) > limit:
        more = f"--limit {min(10 * limit, MOST_SHOWN)} for more"
        how = more if limit < MOST_SHOWN else "--start, --end and --reason for others"
        print_sentence(f"Showing {limit:,}; {how}", err)


def _filter(
    symbol: str | None,
    timeframe: str | None,
    exchange: str | None,
    start: str | None = None,
    end: str | None = None,
) -> SeriesFilter:
    steps = parse_timeframes([timeframe]) if timeframe is not None else ()
    return SeriesFilter(
        exchange=exchange,
        symbol=symbol,
        timeframe=steps[0].value if steps else None,
        start=time_or_none(start, field="start"),
        end=time_or_none(end, field="end"),
    )


def _reason(word: str | None) -> SpanState | None:
    if word is None:
        return None
    if word not in {one.value for one in REASONS}:
        raise InvalidInputError(
            f"reason: {word[:40]!r} is unknown; use one of {', '.join(REASONS)}", field="reason"
        )
    return SpanState(word)


def _all_series(database: str | None, query: SeriesFilter, in_a_page: int) -> list[SeriesCoverage]:
    return read(
        database,
        lambda connection: all_series_coverage(connection, query, in_a_page=in_a_page),
    )


def _show(
    noun: str,
    names: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    whole: Sequence[str],
    right: Sequence[str],
) -> None:
    if rows:
        print_rows(names, rows, whole=whole, right=right)
    else:
        err.print(f"no {noun} found")


def _fields(one: SeriesCoverage, *left_out: str) -> dict[str, object]:
    shown = SeriesComplete.of(one).values()
    return {name: value for name, value in shown.items() if name not in {"price", *left_out}}


def _percent(one: SeriesCoverage) -> str:
    return "" if one.complete is None else f"{one.complete:.2f} %"


def _name(one: SeriesCoverage | Gap) -> str:
    return f"{one.symbol} {one.timeframe}"


def _asked(span: Span) -> tuple[str, str]:
    """How often it was asked for, and when it is asked for again."""
    known = span.evidence
    return ("", "") if known is None else (str(known.asked), show_time(known.due))
