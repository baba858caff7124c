"""What a collection says in the execution log: a row for each symbol."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from penstock.runs.run import LogEntry, LogNote

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from penstock.market.collect.page import Target


def collection_entries(job_type: str, params: Mapping[str, Any]) -> list[LogEntry]:
    """A row for each symbol of a collection; it names the timeframe when the symbol is collected in one alone."""
    # What another version has submitted must not keep this one from starting runs: then it logs less.
    symbols = {
        one["native_symbol"]: f"{one['base']}/{one['quote']}"
        for one in params.get("instruments", ())
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
    """Keeps the notes of a collection: for each symbol the timeframes that are done and those that failed, with the reason."""

    def __init__(self, notes: dict[str, LogNote], targets: Sequence[Target]) -> None:
        self._notes = notes
        for target in targets:
            note = notes.setdefault(target.key.instrument.symbol, LogNote())
            note.metadata.setdefault("timeframes_collected", 0)
            note.metadata.setdefault("timeframes_failed", 0)
            note.metadata.setdefault("timeframes", []).append(target.key.timeframe.value)

    def ended(self, targets: Iterable[Target]) -> None:
        """These series are done, or failed."""
        for target in targets:
            note = self._notes[target.key.instrument.symbol]
            if target.error is None:
                note.metadata["timeframes_collected"] += 1
            else:
                self._failed(note, target.key.timeframe.value, str(target.error))

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
