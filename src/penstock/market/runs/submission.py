"""The market runs: their kinds, what their parameters say, and the series that they claim."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from penstock.market.collect.ranges import Wish
from penstock.market.instrument import Instrument, SeriesKey, Status
from penstock.market.timeframe import Timeframe
from penstock.runs.run import Priority, Submission

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from collections.abc import Set as AbstractSet

COLLECTION = "data_collection"
SCHEDULED_COLLECTION = "scheduled_data_collection"
SYMBOL_REFRESH = "symbol_refresh"
BACKFILL = "backfill"
AUDIT = "audit"
# The kinds that collect candles.
COLLECTING = (COLLECTION, SCHEDULED_COLLECTION, BACKFILL, AUDIT)

# A series in the parameters of a run: native symbol, timeframe, and the name that it was asked for.
SeriesParams = list[str]


def collection_of(
    kind: str,
    exchange: str,
    named: Mapping[Instrument, str],
    timeframes: Sequence[str],
    *,
    without: AbstractSet[tuple[str, str]] = frozenset(),
) -> Submission:
    """A run of all timeframes of these instruments, `without` some series (symbol, timeframe).

    `named` gives each instrument with the name that it was asked for.
    """
    series = [
        [instrument.native_symbol, str(step), asked]
        for instrument, asked in named.items()
        for step in timeframes
        if (instrument.symbol, step) not in without
    ]
    return series_run(kind, exchange, named, series)


def series_run(
    kind: str, exchange: str, instruments: Collection[Instrument], series: list[SeriesParams]
) -> Submission:
    """A run of these series; it carries the instruments, so that its worker needs no lookup."""
    params = {
        "exchange": exchange,
        "series": series,
        "instruments": [asdict(instrument) for instrument in instruments],
        "limit": None,
        "since": None,
    }
    resources = [f"series:{exchange}:{native}:{timeframe}" for native, timeframe, _ in series]
    return Submission(kind=kind, params=params, resources=resources)


def symbol_refresh(exchange: str) -> Submission:
    """The run that looks up what an exchange lists."""
    return Submission(
        kind=SYMBOL_REFRESH,
        params={"exchange": exchange},
        resources=[f"symbols:{exchange}"],
        priority=Priority.MEDIUM,
        job_name="refresh_symbols",
    )


def series_of(params: Mapping[str, Any]) -> list[SeriesKey]:
    """The series of a run's parameters."""
    by_native = {
        stored["native_symbol"]: Instrument(**{**stored, "status": Status(stored["status"])})
        for stored in params["instruments"]
    }
    return [
        SeriesKey(by_native[native], Timeframe(timeframe), asked)
        for native, timeframe, asked in params["series"]
    ]


def wish_of(params: Mapping[str, Any]) -> Wish:
    """The wish of a run's parameters; those of an earlier version may lack some fields."""
    names = (field.name for field in fields(Wish))
    return Wish(**{name: params[name] for name in names if name in params})
