"""The execution log: rows open with the first start of a run and close with its end.

Each is one statement in the run's transactions.

Users delete from the table, so a row that is gone is not missed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, text, update

from penstock.columns import DatabaseNow, in_ms
from penstock.runs.run import LogNote, RunState
from penstock.runs.tables import execution_log
from penstock.store.statements.storable import storable, storable_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from sqlalchemy import Connection, TextClause

    from penstock.runs.run import LogEntry, Run, RunEnd

_RUNNING = "running"
STATUS = {RunState.SUCCEEDED: "success", RunState.FAILED: "failed", RunState.CANCELLED: "cancelled"}

# The note of a row's symbol, from one JSON object, in the SQL of each database.
_NOTED = {
    "postgresql": """
FROM jsonb_each(CAST(:notes AS jsonb)) AS note(key, value)
WHERE log.run_id = :run_id AND log.status = 'running' AND coalesce(log.symbol, '') = note.key""",
    "sqlite": """
FROM json_each(:notes) AS note
WHERE log.run_id = :run_id AND log.status = 'running' AND coalesce(log.symbol, '') = note.key""",
}
_CLOSE = {
    "postgresql": """
UPDATE job_execution_logs AS log SET
    status = CASE WHEN :status = 'success' AND CAST(note.value ->> 'failed' AS boolean)
        THEN 'failed' ELSE CAST(:status AS text) END,
    finished_at = clock_timestamp(),
    duration_seconds = CAST(round(CAST(
        date_part('epoch', clock_timestamp() - log.started_at) AS numeric
    ), 3) AS double precision),
    records_collected = log.records_collected + CAST(note.value ->> 'records' AS bigint),
    error_message = coalesce(note.value ->> 'error', CAST(:error AS text)),
    metadata = coalesce(note.value -> 'metadata', log.metadata)""",
    "sqlite": """
UPDATE job_execution_logs AS log SET
    status = CASE WHEN :status = 'success' AND json_extract(note.value, '$.failed')
        THEN 'failed' ELSE :status END,
    finished_at = CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER),
    duration_seconds = round(
        ((julianday('now') - 2440587.5) * 86400000 - log.started_at) / 1000.0, 3
    ),
    records_collected = log.records_collected + (json_extract(note.value, '$.records')),
    error_message = coalesce(json_extract(note.value, '$.error'), :error),
    metadata = coalesce(json_extract(note.value, '$.metadata'), log.metadata)""",
}
_ADD = {
    "postgresql": (
        "UPDATE job_execution_logs AS log SET"
        " records_collected = log.records_collected + CAST(note.value ->> 'records' AS bigint)"
    ),
    "sqlite": (
        "UPDATE job_execution_logs AS log SET"
        " records_collected = log.records_collected + (json_extract(note.value, '$.records'))"
    ),
}


@dataclass(frozen=True, slots=True)
class ExecutionLogs:
    """Writes what runs log; `entries_of` says which rows a run has."""

    entries_of: Callable[[Run], Sequence[LogEntry]]

    def open(self, connection: Connection, started: Iterable[tuple[Run, int]]) -> None:
        """The rows of runs that start for the first time, each with its start."""
        rows = [_row(run, entry, at) for run, at in started for entry in self.entries_of(run)]
        if rows:
            connection.execute(insert(execution_log), rows)

    def close(self, connection: Connection, run: Run, end: RunEnd) -> None:
        """Say in the rows of a run how it ended, and what it noted for each."""
        if notes := self._notes(run):
            ended = {"status": STATUS[end.state], "error": storable_text(end.error)}
            connection.execute(
                _statement(connection, _CLOSE), {"run_id": run.id, "notes": notes} | ended
            )

    def add(self, connection: Connection, run: Run) -> None:
        """Count what a start of a run has written that is not its last one."""
        if any(note.records for note in run.notes.values()):
            connection.execute(
                _statement(connection, _ADD), {"run_id": run.id, "notes": self._notes(run)}
            )

    def _notes(self, run: Run) -> str | None:
        """JSON, by symbol; None for a run that logs nothing."""
        notes = {
            entry.symbol or "": _note(run.notes.get(entry.symbol or "", LogNote()))
            for entry in self.entries_of(run)
        }
        return json.dumps(notes) if notes else None


def count_records(connection: Connection, run: Run, written: Mapping[str, int]) -> None:
    """Add written rows by symbol in the transaction that writes them, so that they stay counted."""
    if written:
        notes = json.dumps({symbol: {"records": count} for symbol, count in written.items()})
        connection.execute(_statement(connection, _ADD), {"run_id": run.id, "notes": notes})


def close_rows(
    connection: Connection, run_ids: Sequence[int], state: RunState, *, error: str | None
) -> None:
    """The same for runs without a worker, which have no notes."""
    now = DatabaseNow()
    open_rows = update(execution_log).where(
        execution_log.c.run_id.in_(run_ids), execution_log.c.status == _RUNNING
    )
    duration = (in_ms(now) - in_ms(execution_log.c.started_at)) / 1000.0
    connection.execute(
        open_rows.values(
            status=STATUS[state], finished_at=now, duration_seconds=duration, error_message=error
        )
    )


def _row(run: Run, entry: LogEntry, started_at: int) -> dict[str, Any]:
    return {
        "run_id": run.id,
        "job_name": run.job_name or run.kind,
        "job_type": entry.job_type,
        "symbol": entry.symbol,
        "exchange": entry.exchange,
        "timeframe": entry.timeframe,
        "started_at": started_at,
        "status": _RUNNING,
        "metadata": dict(entry.metadata),
    }


def _note(note: LogNote) -> dict[str, object]:
    said: dict[str, object] = {"records": note.records, "failed": note.failed}
    if note.error is not None:
        said["error"] = storable_text(note.error)
    if note.metadata:
        said["metadata"] = storable(note.metadata)
    return said


def _statement(connection: Connection, by_dialect: dict[str, str]) -> TextClause:
    name = connection.dialect.name
    return text(by_dialect[name] + _NOTED[name])
