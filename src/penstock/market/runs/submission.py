"""The market runs: their kinds, what their parameters say, and the series that they claim."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from penstock.market.collect.ranges import Wish
from penstock.market.instrument import Instrument, SeriesKey, Status
from penstock.market.timeframe import Timeframe
from penstock.runs.run import Priority, Submission

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet

COLLECTION = "data_collection"
SCHEDULED_COLLECTION = "scheduled_data_collection"
SYMBOL_REFRESH = "symbol_refresh"
BACKFILL = "backfill"
AUDIT = "audit"
# The kinds that collect candles.
COLLECTING = (COLLECTION, SCHEDULED_COLLECTION, BACKFILL, AUDIT)


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
        SeriesKey(instrument, Timeframe(step), asked)
        for instrument, asked in named.items()
        for step in timeframes
        if (instrument.symbol, step) not in without
    ]
    return series_run(kind, exchange, series)


def series_run(kind: str, exchange: str, series: Sequence[SeriesKey]) -> Submission:
    """A run of these series; it carries the instruments, so that its worker needs no lookup."""
    params = {
        "exchange": exchange,
        # Native symbol, timeframe, and the name that the series was asked for.
        "series": [
            [key.instrument.native_symbol, key.timeframe.value, key.asked or key.instrument.symbol]
            for key in series
        ],
        "instruments": [
            asdict(listed) for listed in dict.fromkeys(key.instrument for key in series)
        ],
        "limit": None,
        "since": None,
    }
    return Submission(kind=kind, params=params, resources=[key.resource for key in series])


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
