"""What came of a verification; bounded, however much is wrong. Times are ms."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from penstock.market.verify.finding import FindingKind, Standing, VerifyFinding
from penstock.moment import iso

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from penstock.errors import PenstockError
    from penstock.market.timeline import TimeRange
    from penstock.market.verify.order import VerifyOrder
    from penstock.market.verify.stored import Stored

# Findings of a series that are named, and that are kept to be checked again; the rest is counted.
MOST_SHOWN = 20
MOST_KEPT = 1_000
# Series that are listed, those with something wrong first.
_MOST_LISTED = 1_000


@dataclass(slots=True)
class SeriesReport:
    """A series: `candles` between `edges` were checked, `compared` of them with the exchange.

    They are made of those of the `finer` series. `error` says why not all could be compared or
    mended.
    """

    stored: Stored
    finer: Sequence[SeriesReport] = ()
    candles: int = 0
    edges: TimeRange | None = None
    off_grid: int = 0
    compared: int = 0
    error: PenstockError | None = None
    counts: dict[Standing, Counter[FindingKind]] = field(
        default_factory=lambda: {standing: Counter() for standing in Standing}
    )
    findings: list[VerifyFinding] = field(default_factory=list)

    def add(self, findings: Iterable[VerifyFinding]) -> None:
        """Add findings."""
        for finding in findings:
            self.counts[Standing.WRONG][finding.kind] += finding.count
            if len(self.findings) < MOST_KEPT:
                self.findings.append(finding)

    def settle(self, finding: VerifyFinding, standing: Standing) -> None:
        """Set what became of a wrong finding."""
        self.counts[finding.standing][finding.kind] -= finding.count
        self.counts[standing][finding.kind] += finding.count
        finding.standing = standing

    @property
    def wrong(self) -> int:
        """How many candles are wrong."""
        return self.counts[Standing.WRONG].total()

    def wrong_findings(self, *kinds: FindingKind) -> list[VerifyFinding]:
        """The findings that are still wrong, of some kinds or of all."""
        return [
            finding
            for finding in self.findings
            if finding.standing is Standing.WRONG and (not kinds or finding.kind in kinds)
        ]

    def as_json(self) -> dict[str, Any]:
        """The report as JSON values."""
        instrument = self.stored.key.instrument
        start, end = (None, None) if self.edges is None else map(iso, self.edges)
        shown = sorted(
            self.findings, key=lambda found: (found.standing is not Standing.WRONG, found.start)
        )[:MOST_SHOWN]
        return {
            "exchange": instrument.exchange,
            "symbol": instrument.symbol,
            "timeframe": self.stored.timeframe.value,
            "from": start,
            "to": end,
            "candles": self.candles,
            "compared": self.compared,
            "off_grid": self.off_grid,
            **{
                standing.value: {
                    kind.value: count for kind, count in self.counts[standing].items() if count
                }
                for standing in Standing
            },
            "findings": [_finding_fields(finding) for finding in shown],
            "error": None if self.error is None else str(self.error),
        }


@dataclass(frozen=True, slots=True)
class VerifyResult:
    """The reports of all series, and what was asked for."""

    reports: Sequence[SeriesReport]
    order: VerifyOrder

    def summary(self) -> dict[str, Any]:
        """The result of the run, as JSON values."""
        order = self.order
        failed = [(report.stored.key, report.error) for report in self.reports if report.error]
        shown = sorted(
            self.reports, key=lambda report: (not report.wrong, not any(report.counts.values()))
        )
        return {
            "candles": sum(report.candles for report in self.reports),
            "compared": sum(report.compared for report in self.reports),
            "series": len(self.reports),
            "series_wrong": sum(bool(report.wrong) for report in self.reports),
            **{
                standing.value: sum(report.counts[standing].total() for report in self.reports)
                for standing in Standing
            },
            "against": order.against,
            "sample": order.sample,
            "seed": None if order.sample is None else order.seed,
            "repair": order.repair,
            "reports": [report.as_json() for report in shown[:_MOST_LISTED]],
            "failures": {str(key): str(error) for key, error in failed[:_MOST_LISTED]},
            "error_codes": Counter(error.code for _, error in failed),
        }


def _finding_fields(finding: VerifyFinding) -> dict[str, Any]:
    return {
        "kind": finding.kind.value,
        "start": iso(finding.start),
        "end": iso(finding.end),
        "candles": finding.count,
        "standing": finding.standing.value,
        "detail": finding.detail,
    }
