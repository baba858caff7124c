"""`penstock verify`: proves that stored candles are complete and right, and repairs them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from penstock.cli.exit_codes import NOT_WHOLE, SOME_FAILED
from penstock.cli.options import (
    Database,
    Exchanges,
    OpensBefore,
    OpensFrom,
    Timeframes,
    timeframes_of,
)
from penstock.cli.reached import reach
from penstock.cli.shown.progress import shown_progress
from penstock.cli.shown.terminal import err, print_json, print_sentence, shown_time, time_or_none
from penstock.cli.shown.text import one_line
from penstock.cli.waited import body_of, waited
from penstock.market.verify.finding import MEANINGS, FindingKind
from penstock.market.verify.order import VerifyOrder
from penstock.name import counted
from penstock.opening import refuse_missing
from penstock.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from penstock.cli.client import ApiClient
    from penstock.cli.shown.text import Fields


_MOST_PLACES = 3
# Findings of a comparison with the exchange.
_FOUND_BY_REST = {FindingKind.DIFFERENT.value, FindingKind.MISSING_HERE.value}


def verify(
    symbols: Annotated[
        list[str] | None,
        typer.Argument(metavar="SYMBOL", help="Only these symbols, such as BTC/USDT."),
    ] = None,
    timeframes: Timeframes = None,
    exchange: Exchanges = None,
    since: OpensFrom = None,
    until: OpensBefore = None,
    against: Annotated[
        str,
        typer.Option(metavar="WHAT", help="rest: also compare every value with the exchange."),
    ] = "none",
    sample: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=1_000_000,
            metavar="N",
            help="Compare N random pages.",
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=2**31 - 1,
            metavar="N",
            help="Compare the same pages as an earlier report.",
        ),
    ] = None,
    repair: Annotated[
        bool,
        typer.Option("--repair", help="Collect what is wrong again; no row is deleted."),
    ] = False,
    database: Database = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the report as one JSON object.")
    ] = False,
) -> None:
    """Prove that the stored candles are complete and right.

    Exits with 9 when they are not.

    Examples:
      penstock verify
      penstock verify BTC/USDT -t 1h --against rest --sample 20
      penstock verify BTC/USDT -t 1h --repair
    """
    order = VerifyOrder(
        symbols=symbols or None,
        timeframes=timeframes_of(timeframes),
        exchange=exchange,
        start=time_or_none(since, field="since"),
        end=time_or_none(until, field="until"),
        sample=sample,
        seed=seed,
        against=against,
        repair=repair,
    )
    order.refuse_bad()
    settings = load_settings(database_url=database)
    refuse_missing(settings)
    report = reach(database, lambda client: _verified(client, order))
    if as_json:
        print_json(report)
    else:
        show(report)
    if report["wrong"]:
        raise typer.Exit(NOT_WHOLE)
    if report["failures"]:
        raise typer.Exit(SOME_FAILED)


async def _verified(client: ApiClient, order: VerifyOrder) -> Fields:
    body = body_of(order, times=("start", "end"))
    with shown_progress("Verifying") as advance:
        ended = await waited(client, ("/api/v1/verify", body), advance, cancelled=_cut_short)
    return {"task_id": ended["task_id"], **ended["result"]}


def _cut_short(_task: Fields) -> str:
    return "cancelled: no report; repaired candles stay"


def show(report: Fields) -> None:
    """Print the headline, then a few lines for each series that is not whole."""
    candles = counted(report["candles"], "candle")
    print_sentence(f"{candles} of {report['series']:,} series: {_verdict(report)}")
    if report["against"] != "none":
        compared = f"{counted(report['compared'], 'candle')} compared with the exchange"
        print_sentence(compared + _sample(report))
    for series in report["reports"]:
        for line in _lines(series, report):
            print_sentence(one_line(line) if not line.startswith("  ") else f"  {one_line(line)}")
    shown = sum(bool(series["wrong"]) for series in report["reports"])
    if shown < report["series_wrong"]:
        print_sentence(f"and {report['series_wrong'] - shown:,} more series that are not whole")
    for series, reason in report["failures"].items():
        err.print(one_line(f"{series}: could not be compared: {reason}"))
    for kind in dict.fromkeys(kind for series in report["reports"] for kind in series["wrong"]):
        err.print(f"{kind}: {MEANINGS[FindingKind(kind)]}")


def _sample(report: Fields) -> str:
    if report["sample"] is None:
        return ""
    return f", a sample of {counted(report['sample'], 'page')} with seed {report['seed']}"


def _verdict(report: Fields) -> str:
    mended = f", {counted(report['mended'], 'candle')} mended" if report["mended"] else ""
    if not report["wrong"]:
        return f"whole{mended}"
    wrong = f"{counted(report['wrong'], 'candle')} of {report['series_wrong']:,} series wrong"
    return f"NOT whole, {wrong}{mended}"


def _lines(series: Fields, report: Fields) -> Iterator[str]:
    name = f"{series['symbol']} {series['timeframe']}"
    if series["told"]:
        yield f"{name}: {_counts(series['told'])}, as the exchange itself says"
    if series["off_grid"]:
        off = counted(series["off_grid"], "candle")
        yield f"{name}: {off} not aligned with the timeframe, as the exchange sends them"
    if not series["wrong"]:
        return
    wrong = [finding for finding in series["findings"] if finding["standing"] == "wrong"]
    edges = f"{shown_time(wrong[0]['start'])} to {shown_time(wrong[-1]['end'])}"
    yield f"{name}, {edges}: {_counts(series['wrong'])}"
    for finding in wrong[:_MOST_PLACES]:
        detail = f": {finding['detail']}" if finding["detail"] else ""
        yield f"  {shown_time(finding['start'])} {finding['kind']}{detail}"
    if not report["repair"]:
        rest = " --against rest" if _FOUND_BY_REST & set(series["wrong"]) else ""
        command = f"penstock verify {series['symbol']} -t {series['timeframe']}{rest} --repair"
        yield f"  repair it with: {command}"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {kind}" for kind, count in counts.items())
