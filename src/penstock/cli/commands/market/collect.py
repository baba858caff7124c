"""`penstock collect`: collect candles now, in this process."""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from penstock.app import CollectReport, open_app, refuse_bad_order
from penstock.cli.client import ServiceClient
from penstock.cli.exit_codes import SOME_FAILED
from penstock.cli.followed import ended_task
from penstock.cli.options import Database, Exchange, timeframes_of
from penstock.cli.shown.progress import progress_fields, shown_progress
from penstock.cli.shown.terminal import err, out, parse_time, print_sentence, seconds_between, shown_time
from penstock.cli.shown.text import counted, one_line
from penstock.cli.signals import run
from penstock.errors import InvalidInputError
from penstock.logs import log_to_stderr
from penstock.market.collect.collection import CollectResult
from penstock.market.runs import CollectOrder
from penstock.moment import iso
from penstock.opening import masked_url, serving_url
from penstock.runs.run import Counters
from penstock.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from penstock.app import App
    from penstock.market.collect.collection import Progress
    from penstock.settings import Settings

AsJson = Annotated[bool, typer.Option("--json", metavar="", help="Print the summary as one JSON object.")]


def collect(
    symbols: Annotated[list[str], typer.Argument(metavar="SYMBOL", help="One or more, such as BTC/USDT or BTCUSDT.")],
    timeframes: Annotated[list[str], typer.Option("-t", "--timeframe", metavar="STEP", help="1m, 5m, 1h, 1d …; several with commas, or -t again.")],
    exchange: Exchange = "binance",
    limit: Annotated[
        int | None,
        typer.Option(min=1, max=10_000_000, metavar="N", help="Newest candles of a series that is still empty.", show_default="100"),
    ] = None,
    since: Annotated[str | None, typer.Option(metavar="TIME", help="Reach back to this time (UTC), such as 2025-01-31.", show_default=False)] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Only what opens before this time (UTC).", show_default=False)] = None,
    recheck: Annotated[
        bool, typer.Option("--recheck", metavar="", help="Read again what is stored from --since on, and what is known to be missing.")
    ] = False,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Collect candles: what is not stored yet, up to now."""
    order = CollectOrder(
        symbols=symbols,
        timeframes=_timeframes(timeframes),
        exchange=exchange,
        limit=limit,
        since=None if since is None else parse_time(since, field="since"),
        until=None if until is None else parse_time(until, field="until"),
        recheck=recheck,
    )
    leave_with(run(_collect(order, database)), as_json=as_json)


def _timeframes(given: Sequence[str]) -> list[str]:
    names = timeframes_of(given)
    if names is None:
        message = "timeframe: none was given; name one or more, such as -t 1m,1h"
        raise InvalidInputError(message, field="timeframe")
    return names


async def _collect(order: CollectOrder, database: str | None) -> CollectReport:
    settings = load_settings(database_url=database)
    # The summary says it all; lines come only to who asks for them.
    log_to_stderr(settings.log_level or "critical")
    if (url := serving_url(settings)) is not None:
        return await _collect_there(url, settings, order)
    await refuse_bad_order(settings, order)
    async with open_app(settings) as app:
        return await collect_with_bar(app, order)


async def _collect_there(url: str, settings: Settings, order: CollectOrder) -> CollectReport:
    """Let the service that owns the database do it, behind whatever it is doing with these series."""
    async with ServiceClient(url) as client:
        edges = {name: None if (at := getattr(order, name)) is None else iso(at) for name in ("since", "until")}
        task_id = await client.start({**asdict(order), **edges, "wait": True})
        return report_of(await ended_task(client, task_id), f"{masked_url(settings)}, by the service at {url}", order.timeframes or ())


def report_of(ended: Mapping[str, Any], database: str, timeframes: Sequence[str]) -> CollectReport:
    """The report of a completed task of a service, which collected each symbol in these timeframes."""
    steps = len(set(timeframes))
    result = CollectResult(counters=Counters(**ended["counters"]), **ended["result"])
    return CollectReport(
        task_id=uuid.UUID(ended["task_id"]),
        result=result,
        symbols=result.series // max(1, steps),
        timeframes=steps,
        statements=None,
        seconds=seconds_between(ended["started_at"], ended["completed_at"]),
        database=database,
    )


async def collect_with_bar(app: App, order: CollectOrder) -> CollectReport:
    """Collect while a bar shows how far it is."""
    with followed_here() as advance:
        return await app.collect(order, advance)


@contextlib.contextmanager
def followed_here() -> Iterator[Callable[[Progress], None]]:
    """The progress of a collection of this process is shown; who interrupts it is told what becomes of it."""
    try:
        with shown_progress() as advance:
            yield lambda progress: advance(progress_fields(progress))
    except asyncio.CancelledError:
        err.print("cancelled: what is written stays, the next collection goes on from there")
        raise


def leave_with(report: CollectReport, *, as_json: bool) -> None:
    """Show the summary; the exit code says whether some series failed."""
    show(report, as_json=as_json)
    if report.result.failures:
        raise typer.Exit(SOME_FAILED)


def show(report: CollectReport, *, as_json: bool) -> None:
    """The summary: for people, or as one JSON object."""
    summary = summary_of(report)
    if as_json:
        typer.echo(json.dumps(summary))
        return
    counters = report.result.counters
    out.print(f"{counted(report.symbols, 'symbol')} × {counted(report.timeframes, 'timeframe')} into {report.database}")
    written = f"({counters.inserted:,} new, {counters.updated:,} updated), {counters.unchanged:,} unchanged"
    out.print(f"{counted(counters.written, 'candle')} written {written}")
    effort = [counted(counters.requests, "request"), f"{report.seconds:.2f} s", f"{summary['rows_per_second']:,} rows/s"]
    if report.statements is not None:
        effort.insert(1, counted(report.statements, "statement"))
    out.print(", ".join(effort))
    for series, rows in report.result.rejected.items():
        err.print(f"{series}: {counted(rows, 'row')} refused, see the table quarantine")
    for series, rows in report.result.misaligned.items():
        err.print(f"{series}: {counted(rows, 'candle')} off the grid of the timeframe, stored as the exchange sent them")
    for gap in report.result.first_gaps:
        print_sentence(gap_line(gap), err)
    if (left := report.result.gaps - len(report.result.first_gaps)) > 0:
        print_sentence(f"{counted(left, 'more gap')}; see penstock gaps", err)
    for series, reason in report.result.failures.items():
        print_sentence(one_line(f"{series}: failed: {reason}"), err)


def gap_line(gap: Mapping[str, Any]) -> str:
    """A gap of a result, in words."""
    start, end = (shown_time(gap[name]) for name in ("start", "end"))
    return f"{gap['series']}: {counted(gap['candles'], 'candle')} missing from {start} to {end}: {gap['reason']}"


def summary_of(report: CollectReport) -> dict[str, object]:
    """The summary with the field names that scripts read."""
    counters = report.result.counters
    return {
        "task_id": str(report.task_id),
        "symbols": report.symbols,
        "timeframes": report.timeframes,
        "candles_written": counters.written,
        "candles_unchanged": counters.unchanged,
        "requests": counters.requests,
        "statements": report.statements,
        "seconds": round(report.seconds, 3),
        "rows_per_second": round(counters.written / max(report.seconds, 0.001)),
        "rejected": dict(report.result.rejected),
        "misaligned": dict(report.result.misaligned),
        "failures": dict(report.result.failures),
        "gaps": report.result.gaps,
        "first_gaps": list(report.result.first_gaps),
        "database": report.database,
    }
