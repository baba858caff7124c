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

-- The published reading view; a time that is not a whole second says so. Numbers are the doubles nearest to the text: the CAST of SQLite 3.40
-- misses them by the last bit in one of some thousands. An integer below 2^53 and 1e8 are exact as doubles, and so their quotient is rounded once, and rightly.
DROP VIEW market_data;

CREATE VIEW market_data AS
SELECT instrument.exchange, instrument.symbol, series.timeframe,
       strftime('%Y-%m-%d %H:%M:%S', candle.open_time / 1000, 'unixepoch')
           || CASE WHEN candle.open_time % 1000 THEN printf('.%03d', candle.open_time % 1000) ELSE '' END AS timestamp,
       CASE WHEN candle.open LIKE '%.________' AND (length(candle.open) < 17 OR length(candle.open) = 17 AND candle.open < '9007')
            THEN CAST(replace(candle.open, '.', '') AS INTEGER) / 1e8 ELSE CAST(candle.open AS REAL) END AS open,
       CASE WHEN candle.high LIKE '%.________' AND (length(candle.high) < 17 OR length(candle.high) = 17 AND candle.high < '9007')
            THEN CAST(replace(candle.high, '.', '') AS INTEGER) / 1e8 ELSE CAST(candle.high AS REAL) END AS high,
       CASE WHEN candle.low LIKE '%.________' AND (length(candle.low) < 17 OR length(candle.low) = 17 AND candle.low < '9007')
            THEN CAST(replace(candle.low, '.', '') AS INTEGER) / 1e8 ELSE CAST(candle.low AS REAL) END AS low,
       CASE WHEN candle.close LIKE '%.________' AND (length(candle.close) < 17 OR length(candle.close) = 17 AND candle.close < '9007')
            THEN CAST(replace(candle.close, '.', '') AS INTEGER) / 1e8 ELSE CAST(candle.close AS REAL) END AS close,
       CASE WHEN candle.volume LIKE '%.________' AND (length(candle.volume) < 17 OR length(candle.volume) = 17 AND candle.volume < '9007')
            THEN CAST(replace(candle.volume, '.', '') AS INTEGER) / 1e8 ELSE CAST(candle.volume AS REAL) END AS volume,
       CASE WHEN candle.quote_volume LIKE '%.________' AND (length(candle.quote_volume) < 17 OR length(candle.quote_volume) = 17 AND candle.quote_volume < '9007')
            THEN CAST(replace(candle.quote_volume, '.', '') AS INTEGER) / 1e8 ELSE CAST(candle.quote_volume AS REAL) END AS quote_volume,
       CASE WHEN candle.taker_base LIKE '%.________' AND (length(candle.taker_base) < 17 OR length(candle.taker_base) = 17 AND candle.taker_base < '9007')
            THEN CAST(replace(candle.taker_base, '.', '') AS INTEGER) / 1e8 ELSE CAST(candle.taker_base AS REAL) END AS taker_base,
       CASE WHEN candle.taker_quote LIKE '%.________' AND (length(candle.taker_quote) < 17 OR length(candle.taker_quote) = 17 AND candle.taker_quote < '9007')
            THEN CAST(replace(candle.taker_quote, '.', '') AS INTEGER) / 1e8 ELSE CAST(candle.taker_quote AS REAL) END AS taker_quote,
       candle.trades, candle.closed
FROM candle
JOIN series ON series.id = candle.series_id
JOIN instrument ON instrument.id = series.instrument_id;
