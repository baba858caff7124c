"""The figures, as a table for people or one JSON object for programs."""

from __future__ import annotations

import datetime as dt
import math
import os
import platform
import sqlite3
import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from benchmarks.noise import samples_ms

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured number; `value` is the sample that counts, `limit` its maximum, if any."""

    name: str
    database: str
    unit: str
    samples: Sequence[float]
    value: float
    limit: float | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the value is within the limit; None without a limit."""
        return None if self.limit is None else self.value <= self.limit

    def as_json(self) -> dict[str, object]:
        """The figure in the JSON report."""
        return {
            "name": self.name,
            "database": self.database,
            "value": _rounded(self.value),
            "unit": self.unit,
            "limit": self.limit,
            "met": self.met,
            "n": len(self.samples),
            "min": _rounded(min(self.samples)),
            "median": _rounded(statistics.median(self.samples)),
            "max": _rounded(max(self.samples)),
            "note": self.note,
        }


def median_of(
    name: str,
    database: str,
    unit: str,
    samples: Sequence[float],
    *,
    limit: float | None = None,
    note: str = "",
) -> Figure:
    """A figure whose value is the median."""
    return Figure(
        name=name,
        database=database,
        unit=unit,
        samples=samples,
        value=statistics.median(samples),
        limit=limit,
        note=note,
    )


def worst_of(
    name: str,
    database: str,
    unit: str,
    samples: Sequence[float],
    *,
    limit: float | None = None,
    note: str = "",
) -> Figure:
    """A figure whose value is the highest sample."""
    return Figure(
        name=name,
        database=database,
        unit=unit,
        samples=samples,
        value=max(samples),
        limit=limit,
        note=note,
    )


def percentile(samples: Sequence[float], percent: float) -> float:
    """The smallest sample that at least `percent` of the samples do not exceed."""
    ordered = sorted(samples)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


@dataclass(slots=True)
class Report:
    """All figures of a run of the benchmarks, and the machine."""

    quick: bool
    postgres: str = "not started"
    figures: list[Figure] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    loads: dict[str, list[float]] = field(default_factory=dict)
    noise: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    date: str = field(default_factory=lambda: dt.datetime.now(dt.UTC).isoformat(timespec="seconds"))

    def note_load(self, part: str) -> None:
        """Record the load average before a part, and the noise: p99 ÷ median of fixed work."""
        self.loads[part] = [round(value, 2) for value in os.getloadavg()]
        work = samples_ms()
        self.noise[part] = round(percentile(work, 99) / statistics.median(work), 2)

    def as_json(self) -> dict[str, object]:
        """The report for json.dumps."""
        return {
            "date": self.date,
            "quick": self.quick,
            "python": platform.python_version(),
            "cpus": os.cpu_count(),
            "load_average_before": self.loads,
            "noise_before": self.noise,
            "postgresql": self.postgres,
            "sqlite": sqlite3.sqlite_version,
            "seconds": round(self.seconds, 1),
            "figures": [figure.as_json() for figure in self.figures],
            "failures": self.failures,
        }

    def print(self) -> None:
        """Print header, table and failures."""
        console = Console(highlight=False, width=None if os.isatty(1) else 170)
        quick = ", quick: small sizes, limits mean little" if self.quick else ""
        console.print(f"Penstock benchmarks, {self.date}{quick}")
        console.print(
            f"Python {platform.python_version()}, {os.cpu_count()} CPUs, "
            f"PostgreSQL {self.postgres}, SQLite {sqlite3.sqlite_version}"
        )
        loads = ", ".join(
            f"{part} {values[0]:.2f} and {self.noise[part]:.1f}"
            for part, values in self.loads.items()
        )
        console.print(
            "Load average and noise (p99 ÷ median of fixed work; quiet: below 1.5) "
            f"before each part: {loads}."
        )
        console.print(f"Total: {self.seconds:.0f} s.")
        console.print(self._table())
        for part, failure in self.failures.items():
            console.print(f"FAILED {part}: {failure}", markup=False, style="red")

    def _table(self) -> Table:
        table = Table(box=None, pad_edge=False)
        for title in ("figure", "database"):
            table.add_column(title)
        for title in ("value", "limit", "met", "n", "min", "median", "max"):
            table.add_column(title, justify="right")
        table.add_column("note")
        for figure in self.figures:
            table.add_row(*_cells(figure))
        return table


def _cells(figure: Figure) -> list[str]:
    limit = "" if figure.limit is None else f"≤ {_shown(figure.limit)}"
    met = {True: "[green]yes[/]", False: "[bold red]NO[/]", None: ""}[figure.met]
    edges = [
        _shown(edge)
        for edge in (min(figure.samples), statistics.median(figure.samples), max(figure.samples))
    ]
    value = f"{_shown(figure.value)} {figure.unit}"
    return [
        figure.name,
        figure.database,
        value,
        limit,
        met,
        str(len(figure.samples)),
        *edges,
        f"[dim]{figure.note}[/]",
    ]


def _shown(value: float) -> str:
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 1 else f"{value:.2f}"


def _rounded(value: float) -> float:
    return round(value, 4)
