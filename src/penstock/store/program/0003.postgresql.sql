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
