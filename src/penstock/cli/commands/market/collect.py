"""`penstock collect`: collects candles now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from penstock.cli.client import COLLECTOR
from penstock.cli.exit_codes import SOME_FAILED
from penstock.cli.fresh import refuse_unlisted, when_fresh
from penstock.cli.options import (
    Database,
    Exchange,
    JsonSummary,
    NeededTimeframes,
    OpensBefore,
    timeframes_of,
)
from penstock.cli.reached import reach
from penstock.cli.shown.progress import shown_progress
from penstock.cli.shown.terminal import (
    err,
    out,
    print_json,
    print_sentence,
    seconds_between,
    shown_time,
    time_or_none,
)
from penstock.cli.shown.text import one_line
from penstock.cli.waited import body_of, waited
from penstock.errors import InvalidInputError
from penstock.market.instrument import parse_timeframes
from penstock.market.runs.orders import MOST_CANDLES, CollectOrder
from penstock.name import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from penstock.cli.client import ApiClient
    from penstock.cli.shown.text import Fields

# Fields of the summary that are those of the task's result.
_FROM_RESULT = ("rejected", "misaligned", "failures", "gaps", "first_gaps")


def collect(
    symbols: Annotated[
        list[str],
        typer.Argument(metavar="SYMBOL", help="One or more, such as BTC/USDT or BTCUSDT."),
    ],
    timeframes: NeededTimeframes,
    exchange: Exchange = "binance",
    limit: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=MOST_CANDLES,
            metavar="N",
            help="Candles to fetch into an empty series.",
            show_default="100",
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Collect from this time on (UTC), such as 2025-01-31.",
        ),
    ] = None,
    until: OpensBefore = None,
    recheck: Annotated[
        bool,
        typer.Option(
            "--recheck",
            help="Fetch stored candles from --since on and known gaps again.",
        ),
    ] = False,
    database: Database = None,
    as_json: JsonSummary = False,
) -> None:
    """Collect the candles that are missing, up to now.

    Exits with 6 when some series failed.

    Examples:
      penstock collect BTC/USDT ETH/USDT -t 1h,1d
      penstock collect BTCUSDT -t 1m --since 2025-01-01
    """
    order = CollectOrder(
        symbols=symbols,
        timeframes=_timeframes(timeframes),
        exchange=exchange,
        limit=limit,
        since=time_or_none(since, field="since"),
        until=time_or_none(until, field="until"),
        recheck=recheck,
    )
    parse_timeframes(order.timeframes or ())
    when_fresh(database, lambda settings: refuse_unlisted(settings, exchange, symbols))
    ended, place = reach(database, lambda client: _collect(client, order))
    leave_with(ended, place, len(set(order.timeframes or ())), as_json=as_json)


def _timeframes(given: Sequence[str]) -> list[str]:
    names = timeframes_of(given)
    if names is None:
        raise InvalidInputError(
            "timeframe: none was given; name one or more, such as -t 1m,1h", field="timeframe"
        )
    return names


async def _collect(client: ApiClient, order: CollectOrder) -> tuple[Fields, str]:
    """The finished task, and where it wrote."""
    return await collected(client, order), client.place


async def collected(client: ApiClient, order: CollectOrder) -> Fields:
    """The completed task; a service queues it behind its active runs."""
    body = body_of(order, times=("since", "until")) | {"wait": True}
    with shown_progress() as advance:
        return await waited(client, (f"{COLLECTOR}/start", body), advance, cancelled=cut_short)


def cut_short(_task: Fields) -> str:
    """What to say of a cancelled collection."""
    return "cancelled: written candles stay, the next collection continues from there"


def leave_with(task: Fields, place: str, timeframes: int, *, as_json: bool) -> None:
    """Show the summary; exit with 6 when some series failed."""
    summary = summary_of(task, place, timeframes)
    if as_json:
        print_json(summary)
    else:
        show(task, summary)
    if summary["failures"]:
        raise typer.Exit(SOME_FAILED)


def show(task: Fields, summary: Fields) -> None:
    """Print the summary of a completed task as text."""
    counts, steps = task["counters"], counted(summary["timeframes"], "timeframe")
    out.print(f"{counted(summary['symbols'], 'symbol')} × {steps} into {summary['database']}")
    written = f"({counts['inserted']:,} new, {counts['updated']:,} updated)"
    candles = counted(summary["candles_written"], "candle")
    out.print(f"{candles} written {written}, {counts['unchanged']:,} unchanged")
    rate = f"{summary['seconds']:.2f} s, {summary['rows_per_second']:,} rows/s"
    out.print(f"{counted(counts['requests'], 'request')}, {rate}")
    _show_what_is_wrong(summary)


def _show_what_is_wrong(summary: Fields) -> None:
    for series, rows in summary["rejected"].items():
        err.print(f"{series}: {counted(rows, 'row')} rejected, see the table quarantine")
    for series, rows in summary["misaligned"].items():
        off = f"{counted(rows, 'candle')} not aligned with the timeframe"
        err.print(f"{series}: {off}, stored as the exchange sent them")
    for gap in summary["first_gaps"]:
        print_sentence(gap_line(gap), err)
    if (left := summary["gaps"] - len(summary["first_gaps"])) > 0:
        print_sentence(f"{counted(left, 'more gap')}; see penstock gaps", err)
    for series, reason in summary["failures"].items():
        print_sentence(one_line(f"{series}: failed: {reason}"), err)


def gap_line(gap: Fields) -> str:
    """A gap of a result, in words."""
    start, end = (shown_time(gap[name]) for name in ("start", "end"))
    missing = f"{counted(gap['candles'], 'candle')} missing from {start} to {end}"
    return f"{gap['series']}: {missing}: {gap['reason']}"


def summary_of(task: Fields, place: str, timeframes: int) -> Fields:
    """The summary, with the field names that scripts read."""
    result, counts = task["result"], task["counters"]
    seconds = seconds_between(task["started_at"], task["completed_at"])
    written = counts["inserted"] + counts["updated"]
    return {
        "task_id": task["task_id"],
        "symbols": result["series"] // max(1, timeframes),
        "timeframes": timeframes,
        "candles_written": written,
        "candles_unchanged": counts["unchanged"],
        "requests": counts["requests"],
        "seconds": round(seconds, 3),
        "rows_per_second": round(written / max(seconds, 0.001)),
        **{name: result[name] for name in _FROM_RESULT},
        "database": place,
    }
