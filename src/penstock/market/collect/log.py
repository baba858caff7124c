"""A collection in the execution log: one row for each symbol."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from penstock.runs.run import LogEntry, LogNote

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from penstock.market.collect.page import SeriesTarget


def collection_entries(job_type: str, params: Mapping[str, Any]) -> list[LogEntry]:
    """A row for each symbol; it names the timeframe if the symbol is collected in only one."""
    # A run that another version submitted must still start; it logs less.
    symbols = {
        instrument["native_symbol"]: f"{instrument['base']}/{instrument['quote']}"
        for instrument in params.get("instruments", ())
    }
    timeframes: defaultdict[str, list[str]] = defaultdict(list)
    for native, timeframe, _ in params.get("series", ()):
        timeframes[symbols.get(native, native)].append(timeframe)
    return [
        LogEntry(
            job_type=job_type,
            symbol=symbol,
            exchange=params.get("exchange"),
            timeframe=steps[0] if len(steps) == 1 else None,
            metadata={"timeframes_collected": 0, "timeframes_failed": 0, "timeframes": steps},
        )
        for symbol, steps in timeframes.items()
    ]


class CollectionLog:
    """Keeps the notes of a collection: for each symbol the finished and the failed timeframes."""

    def __init__(self, notes: dict[str, LogNote], targets: Sequence[SeriesTarget]) -> None:
        self._notes = notes
        for target in targets:
            empty = {"timeframes_collected": 0, "timeframes_failed": 0, "timeframes": []}
            note = notes.setdefault(target.key.instrument.symbol, LogNote(metadata=empty))
            note.metadata["timeframes"].append(target.timeframe.value)

    def ended(self, targets: Iterable[SeriesTarget]) -> None:
        """Note that these series are done or have failed."""
        for target in targets:
            note = self._notes[target.key.instrument.symbol]
            if target.error is None:
                note.metadata["timeframes_collected"] += 1
            else:
                self._failed(note, target.timeframe.value, str(target.error))

    @staticmethod
    def _failed(note: LogNote, timeframe: str, error: str) -> None:
        note.metadata["timeframes_failed"] += 1
        failures = note.metadata.setdefault("failures", {})
        failures[timeframe] = error
        note.failed = len(failures) == len(note.metadata["timeframes"])
        note.error = (
            "; ".join(f"{step}: {reason}" for step, reason in failures.items())
            if note.failed
            else None
        )
