"""What a market run writes: candles, coverage, quarantine and instruments."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import astuple, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from sqlalchemy import and_, bindparam, delete, func, insert, select, update

from penstock.columns import DatabaseNow, Timestamp, in_ms
from penstock.market.candle import Candle
from penstock.market.collect.coverage import Coverage
from penstock.market.collect.page import SeriesTarget
from penstock.market.instrument import Status
from penstock.market.queries.series import per_series
from penstock.market.queries.spans import SPAN_COLUMNS, span_of
from penstock.market.tables import candle, coverage, exchange_clock, instrument, quarantine, series
from penstock.runs.run import Counters
from penstock.store.statements.upsert import upsert
from penstock.store.write.quarantine import put_refused, refused

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection, Row, Select

    from penstock.market.collect.coverage import CoverageChange, Span
    from penstock.market.collect.page import CandleFlush, CandlePage, Flushed
    from penstock.market.instrument import Instrument, SeriesKey
    from penstock.runs.context import RunContext, Writing
    from penstock.store.session.database import Database

# An instrument, a timeframe and a price kind.
SeriesRef: TypeAlias = tuple[int, str, str]

_HOUR_MS = 3_600_000
_BIGINT = 2**63


class SqlCandleStore:
    """The CandleStore and InstrumentStore of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put_instruments(self, instruments: Sequence[Instrument]) -> None:
        """Record what an exchange lists; symbols that it no longer lists keep their status."""
        if instruments:
            await self._database.write(lambda connection: _put_instruments(connection, instruments))

    async def put_list(
        self, context: RunContext, instruments: Sequence[Instrument], volumes: Mapping[str, float]
    ) -> Sequence[str]:
        """Record everything that an exchange lists; gives the symbols that it no longer lists."""
        if not instruments:
            return ()
        return await context.write(
            lambda writing: _put_list(writing.connection, instruments, volumes)
        )

    async def open_series(
        self, context: RunContext, keys: Sequence[SeriesKey]
    ) -> list[SeriesTarget]:
        """The stored series; missing ones are created."""
        return await context.write(lambda writing: _open_series(writing.connection, keys))

    async def flush(self, context: RunContext, flush: CandleFlush) -> Flushed:
        """Write rows, coverage, quarantine and the run's counters in one transaction."""
        return await context.write(lambda writing: self._flush(writing, flush))

    def _flush(self, writing: Writing, flush: CandleFlush) -> Flushed:
        connection, run_id = writing.connection, writing.run.id
        merged = self._database.backend.merge_candles(connection, run_id, flush)
        flushed = replace(merged, counters=merged.counters + Counters(rejected=flush.rejected))
        _quarantine(connection, run_id, flush.pages)
        _cover(connection, run_id, flush.coverage)
        _delist(connection, flush.pages)
        if flush.clock is not None:
            _note_clock(connection, *flush.clock)
        writing.count(flushed.counters)
        writing.log(_by_symbol(flush, flushed))
        writing.show(flush.shown)
        return flushed


def _by_symbol(flush: CandleFlush, flushed: Flushed) -> Mapping[str, int]:
    symbols = {page.target.series_id: page.target.key.instrument.symbol for page in flush.pages}
    written: Counter[str] = Counter()
    for series_id, count in flushed.written.items():
        written[symbols[series_id]] += count
    return written


def _put_instruments(
    connection: Connection,
    instruments: Sequence[Instrument],
    volumes: Mapping[str, float] | None = None,
) -> None:
    """Without `volumes`, known ones stay."""
    rows = [
        {
            "exchange": one.exchange,
            "market": one.market,
            "native_symbol": one.native_symbol,
            "base": one.base,
            "quote": one.quote,
            "symbol": one.symbol,
            "status": one.status,
            "quote_volume_24h": (volumes or {}).get(one.native_symbol),
        }
        for one in instruments
    ]
    change = ["base", "quote", "symbol", "status", "seen_at", "gone_at"]
    if volumes is not None:
        change.append("quote_volume_24h")
    put = upsert(connection, instrument, key=("exchange", "market", "native_symbol"), change=change)
    connection.execute(put.values(seen_at=DatabaseNow(), gone_at=None), rows)


def _put_list(
    connection: Connection, instruments: Sequence[Instrument], volumes: Mapping[str, float]
) -> Sequence[str]:
    _put_instruments(connection, instruments, volumes)
    listed = {_instrument_key(one) for one in instruments}
    known: Select[Any] = select(instrument).where(
        instrument.c.exchange == instruments[0].exchange, instrument.c.status != Status.DELISTED
    )
    missing = {
        row.id: row.symbol
        for row in connection.execute(known)
        if _instrument_key(row) not in listed
    }
    these = instrument.c.id.in_(missing)
    long_gone = instrument.c.gone_at <= DatabaseNow(ago_ms=_HOUR_MS)
    connection.execute(update(instrument).where(these, long_gone).values(status=Status.DELISTED))
    connection.execute(
        update(instrument)
        .where(these, instrument.c.gone_at.is_(None))
        .values(gone_at=DatabaseNow())
    )
    return sorted(missing.values())


def _note_clock(connection: Connection, exchange: str, now: int) -> None:
    put = upsert(connection, exchange_clock, change=("ahead_ms", "looked_at"))
    connection.execute(
        put.values(exchange=exchange, ahead_ms=now - in_ms(DatabaseNow()), looked_at=DatabaseNow())
    )


def _delist(connection: Connection, pages: Sequence[CandlePage]) -> None:
    """Delist what is missing from the list and was refused to a direct question."""
    if ended := {page.target.series_id for page in pages if page.delisted}:
        of_series = select(series.c.instrument_id).where(series.c.id.in_(ended))
        connection.execute(
            update(instrument).where(instrument.c.id.in_(of_series)).values(status=Status.DELISTED)
        )


def _open_series(connection: Connection, keys: Sequence[SeriesKey]) -> list[SeriesTarget]:
    instrument_ids, series_ids, spans = _known_series(connection, keys)
    unlisted = [
        key.instrument for key in keys if _instrument_key(key.instrument) not in instrument_ids
    ]
    if unlisted:
        _put_instruments(connection, list(dict.fromkeys(unlisted)))
        instrument_ids, series_ids, spans = _known_series(connection, keys)
    wanted = [
        (instrument_ids[_instrument_key(key.instrument)], key.timeframe.value, key.price_kind.value)
        for key in keys
    ]
    unfinished = _newest_open(connection, list(series_ids.values()))
    if missing := [pair for pair in dict.fromkeys(wanted) if pair not in series_ids]:
        create = insert(series).returning(
            series.c.id, series.c.instrument_id, series.c.timeframe, series.c.price_kind
        )
        rows = [
            {"instrument_id": instrument_id, "timeframe": timeframe, "price_kind": kind}
            for instrument_id, timeframe, kind in missing
        ]
        series_ids |= {
            (row.instrument_id, row.timeframe, row.price_kind): row.id
            for row in connection.execute(create, rows)
        }
    ids = [series_ids[ref] for ref in wanted]
    return [
        SeriesTarget(key, series_id, Coverage(spans[series_id]), unfinished.get(series_id))
        for key, series_id in zip(keys, ids, strict=True)
    ]


def _newest_open(connection: Connection, series_ids: Sequence[int]) -> dict[int, Candle]:
    """The newest candle of each series, if it is not final."""
    if not series_ids:
        return {}
    newest = (
        select(func.max(candle.c.open_time))
        .where(candle.c.series_id == series.c.id)
        .correlate(series)
        .scalar_subquery()
    )
    found = per_series(series_ids, newest)
    values = [candle.c[name] for name in Candle.__struct_fields__]
    at_newest = and_(candle.c.series_id == found.c.id, candle.c.open_time == found.c.value)
    wanted = select(found.c.id, *values).join(candle, at_newest).where(candle.c.closed.is_(False))
    return {series_id: Candle(*values) for series_id, *values in connection.execute(wanted).all()}


_SERIES_COLUMNS = (
    instrument.c.id,
    instrument.c.exchange,
    instrument.c.market,
    instrument.c.native_symbol,
    series.c.id.label("series_id"),
    series.c.timeframe,
    series.c.price_kind,
)


def _known_series(
    connection: Connection, keys: Sequence[SeriesKey]
) -> tuple[dict[tuple[str, str, str], int], dict[SeriesRef, int], defaultdict[int, list[Span]]]:
    """Ids of instruments and series, and the spans of each series, in one statement."""
    of_instrument = and_(
        series.c.instrument_id == instrument.c.id,
        series.c.timeframe.in_({key.timeframe.value for key in keys}),
        series.c.price_kind.in_({key.price_kind.value for key in keys}),
    )
    found = (
        select(*_SERIES_COLUMNS, *SPAN_COLUMNS)
        .outerjoin_from(instrument, series, of_instrument)
        .outerjoin(coverage, coverage.c.series_id == series.c.id)
        .where(
            instrument.c.native_symbol.in_({key.instrument.native_symbol for key in keys}),
            instrument.c.exchange.in_({key.instrument.exchange for key in keys}),
        )
    )
    instrument_ids: dict[tuple[str, str, str], int] = {}
    series_ids: dict[SeriesRef, int] = {}
    spans: defaultdict[int, list[Span]] = defaultdict(list)
    for (
        instrument_id,
        exchange,
        market,
        native_symbol,
        series_id,
        timeframe,
        price_kind,
        *span,
    ) in connection.execute(found):
        instrument_ids[exchange, market, native_symbol] = instrument_id
        if series_id is not None:
            series_ids[instrument_id, timeframe, price_kind] = series_id
        if span[0] is not None:
            spans[series_id].append(span_of(span))
    return instrument_ids, series_ids, spans


def _instrument_key(one: Instrument | Row[Any]) -> tuple[str, str, str]:
    return one.exchange, one.market, one.native_symbol


def _cover(
    connection: Connection, run_id: int, changes: Sequence[tuple[int, CoverageChange]]
) -> None:
    if gone := [(series_id, start) for series_id, change in changes for start in change.deleted]:
        parameters = [{"series": series_id, "start": start} for series_id, start in gone]
        this = and_(
            coverage.c.series_id == bindparam("series"),
            coverage.c.start_time == bindparam("start", type_=Timestamp()),
        )
        connection.execute(delete(coverage).where(this), parameters)
    rows = [
        {
            "series_id": series_id,
            "start_time": span.start,
            "end_time": span.end,
            "state": span.state,
            "run_id": run_id,
        }
        | _evidence(span)
        for series_id, change in changes
        for span in change.put
    ]
    if rows:
        change = ("end_time", "state", "run_id", *_EVIDENCE)
        connection.execute(upsert(connection, coverage, change=change), rows)


_EVIDENCE = ("asked", "first_asked", "last_asked", "source", "due_at")


def _evidence(span: Span) -> dict[str, object]:
    if span.evidence is None:
        return dict.fromkeys(_EVIDENCE)
    return dict(zip(_EVIDENCE, astuple(span.evidence), strict=True))


def _quarantine(connection: Connection, run_id: int, pages: Sequence[CandlePage]) -> None:
    rows = [
        refused(row.reason, row.detail, row.raw)
        | {
            "series_id": page.target.series_id,
            "open_time": row.open_time
            if row.open_time is not None and abs(row.open_time) < _BIGINT
            else None,
            "run_id": run_id,
        }
        for page in pages
        for row in page.rejected
    ]
    put_refused(connection, quarantine, "series_id", rows)
