"""`penstock collect`: collect candles now, in this process."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Annotated

import typer

from penstock.app import CollectOrder, open_app
from penstock.cli.terminal import err, out, parse_time, progress_bar
from penstock.errors import InvalidInputError
from penstock.settings import load_settings

if TYPE_CHECKING:
    from penstock.app import App, CollectReport

_SOME_FAILED = 6

Database = Annotated[
    str | None, typer.Option(help="sqlite:////path/to/file.db or postgresql://…; default: PENSTOCK_DATABASE_URL.", show_default=False)
]
Exchange = Annotated[str, typer.Option(help="The exchange.")]


def collect(
    symbols: Annotated[list[str], typer.Argument(metavar="SYMBOL…", help="BTC/USDT or BTCUSDT.")],
    timeframes: Annotated[list[str], typer.Option("-t", "--timeframe", help="1m, 5m, 1h, 1d …; several with commas.")],
    exchange: Exchange = "binance",
    limit: Annotated[
        int | None, typer.Option(min=1, max=10_000_000, help="Newest candles of a series that is still empty.  [default: 100]", show_default=False)
    ] = None,
    since: Annotated[str | None, typer.Option(help="Reach back to this time, such as 2025-01-31.", show_default=False)] = None,
    database: Database = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as one JSON object.")] = False,
) -> None:
    """Collect candles: what is not stored yet, up to now."""
    order = CollectOrder(
        symbols=symbols,
        timeframes=[name.strip() for names in timeframes for name in names.split(",") if name.strip()],
        exchange=exchange,
        limit=limit,
        since=_since(since),
    )
    report = asyncio.run(_collect(order, database))
    show(report, as_json=as_json)
    if report.result.failures:
        raise typer.Exit(_SOME_FAILED)


def _since(text: str | None) -> int | None:
    if text is None:
        return None
    since = parse_time(text, field="since")
    if since > time.time() * 1000:
        message = f"since: {text} lies in the future; give a time that has passed"
        raise InvalidInputError(message, field="since")
    return since


async def _collect(order: CollectOrder, database: str | None) -> CollectReport:
    async with open_app(load_settings(database_url=database)) as app:
        return await collect_with_bar(app, order)


async def collect_with_bar(app: App, order: CollectOrder) -> CollectReport:
    """Collect while a bar shows how far it is."""
    with progress_bar() as advance:
        return await app.collect(order, advance)


def show(report: CollectReport, *, as_json: bool) -> None:
    """The summary: for people, or as one JSON object."""
    summary = summary_of(report)
    if as_json:
        typer.echo(json.dumps(summary))
        return
    counters = report.result.counters
    out.print(f"{report.symbols} symbols × {report.timeframes} timeframes into {report.database}")
    out.print(f"{counters.written:,} candles written ({counters.inserted:,} new, {counters.updated:,} updated), {counters.unchanged:,} unchanged")
    out.print(f"{counters.requests:,} requests, {report.statements} statements, {report.seconds:.2f} s, {summary['rows_per_second']:,} rows/s")
    for series, rows in report.result.rejected.items():
        err.print(f"{series}: {rows} rows refused, see the table quarantine")
    for series, rows in report.result.misaligned.items():
        err.print(f"{series}: {rows} candles are off the grid of their timeframe, stored as the exchange sent them")
    for series, reason in report.result.failures.items():
        err.print(f"{series}: failed: {reason}")


def summary_of(report: CollectReport) -> dict[str, object]:
    """The summary with the field names that scripts read."""
    counters = report.result.counters
    return {
        "task_id": str(report.run.task_id),
        "symbols": report.symbols,
        "timeframes": report.timeframes,
        "candles_written": counters.written,
        "candles_unchanged": counters.unchanged,
        "requests": counters.requests,
        "statements": report.statements,
        "seconds": round(report.seconds, 3),
        "rows_per_second": round(counters.written / report.seconds),
        "rejected": dict(report.result.rejected),
        "misaligned": dict(report.result.misaligned),
        "failures": dict(report.result.failures),
        "database": report.database,
    }
