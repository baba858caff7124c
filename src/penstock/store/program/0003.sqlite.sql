-- Statements stand apart by a blank line. Once released a file stays as it is: a change is a new version.
-- The gap ledger: every known range that is not there, with its reason, and what that rests on.
DROP VIEW gap;

CREATE VIEW gap AS
SELECT instrument.exchange, instrument.symbol, series.timeframe,
       coverage.start_time, coverage.end_time, coverage.state AS reason, coverage.run_id,
       coverage.asked, coverage.first_asked, coverage.last_asked, coverage.source, coverage.due_at
FROM coverage
JOIN series ON series.id = coverage.series_id
JOIN instrument ON instrument.id = series.instrument_id
WHERE coverage.state NOT IN ('stored', 'no_trades', 'archived');

-- The published reading view; a time that is not a whole second says so.
DROP VIEW market_data;

CREATE VIEW market_data AS
SELECT instrument.exchange, instrument.symbol, series.timeframe,
       strftime('%Y-%m-%d %H:%M:%S', candle.open_time / 1000, 'unixepoch')
           || CASE WHEN candle.open_time % 1000 THEN printf('.%03d', candle.open_time % 1000) ELSE '' END AS timestamp,
       CAST(candle.open AS REAL) AS open, CAST(candle.high AS REAL) AS high, CAST(candle.low AS REAL) AS low, CAST(candle.close AS REAL) AS close,
       CAST(candle.volume AS REAL) AS volume, CAST(candle.quote_volume AS REAL) AS quote_volume, CAST(candle.taker_base AS REAL) AS taker_base, CAST(candle.taker_quote AS REAL) AS taker_quote,
       candle.trades, candle.closed
FROM candle
JOIN series ON series.id = candle.series_id
JOIN instrument ON instrument.id = series.instrument_id;
