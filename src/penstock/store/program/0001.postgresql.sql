-- Statements stand apart by a blank line. Once released a file stays as it is: a change is a new version.
-- A closed candle is final: what changes it leaves its old values behind.
CREATE FUNCTION restate_candle() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO restatement (
        series_id, open_time, close_time, open, high, low, close, volume, quote_volume, taker_base, taker_quote, trades, run_id,
        reason, restated_by, restated_at
    ) VALUES (
        OLD.series_id, OLD.open_time, OLD.close_time, OLD.open, OLD.high, OLD.low, OLD.close, OLD.volume,
        OLD.quote_volume, OLD.taker_base, OLD.taker_quote, OLD.trades, OLD.run_id,
        'changed at the source', NEW.run_id, clock_timestamp()
    );
    RETURN NULL;
END
$$;

CREATE TRIGGER candle_restated AFTER UPDATE ON candle
FOR EACH ROW WHEN (OLD.closed) EXECUTE FUNCTION restate_candle();

-- The published reading view.
CREATE VIEW market_data AS
SELECT instrument.exchange, instrument.symbol, series.timeframe, candle.open_time AS timestamp,
       candle.open, candle.high, candle.low, candle.close,
       candle.volume, candle.quote_volume, candle.taker_base, candle.taker_quote,
       candle.trades, candle.closed
FROM candle
JOIN series ON series.id = candle.series_id
JOIN instrument ON instrument.id = series.instrument_id;

-- The gap ledger: every known range that is not stored, with its reason.
CREATE VIEW gap AS
SELECT instrument.exchange, instrument.symbol, series.timeframe,
       coverage.start_time, coverage.end_time, coverage.state AS reason, coverage.run_id
FROM coverage
JOIN series ON series.id = coverage.series_id
JOIN instrument ON instrument.id = series.instrument_id
WHERE coverage.state <> 'stored';
