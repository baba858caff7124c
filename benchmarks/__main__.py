"""`python -m benchmarks`: measures everything and prints the results.

A missed limit is a result; only a broken benchmark exits with 1.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import (
    backfill,
    cycle,
    inventory,
    kills,
    ledger,
    logs,
    merge,
    parse,
    products,
    reading,
    rivals,
    runs,
    service,
    syncs,
    verify,
    websocket,
)
from benchmarks.places import places
from benchmarks.report import Report
from benchmarks.sizes import FULL, QUICK
from penstock.logs import log_to_stderr

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.places import Places
    from benchmarks.report import Figure
    from benchmarks.sizes import Sizes

_PARTS: dict[str, Callable[[Places, Sizes], Iterator[Figure]]] = {
    "cycle": cycle.measure,
    "merge": merge.measure,
    "backfill": backfill.measure,
    "verify": verify.measure,
    "reading": reading.measure,
    "ledger": ledger.measure,
    "parse": parse.measure,
    "runs": runs.measure,
    "kills": kills.measure,
    "service": service.measure,
    "websocket": websocket.measure,
    "logs": logs.measure,
    "inventory": inventory.measure,
    "products": products.measure,
    "inventory_rivals": rivals.measure,
    "syncs": syncs.measure,
    "many_products": syncs.measure_many,
}
_RESULTS = Path(__file__).resolve().parent.parent / "bench-results.json"


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="make bench ARGS=…",
        description="Speed and memory of Penstock on SQLite and PostgreSQL",
    )
    parser.add_argument("--quick", action="store_true", help="small sizes: does everything run?")
    parser.add_argument(
        "--json", action="store_true", help="JSON to standard output instead of the table"
    )
    parser.add_argument(
        "--only", choices=sorted(_PARTS), action="append", help="this part only; can be repeated"
    )
    asked = parser.parse_args()
    log_to_stderr("warning")
    report = _run(asked.only or list(_PARTS), QUICK if asked.quick else FULL, quick=asked.quick)
    written = json.dumps(report.as_json(), indent=1)
    if asked.json:
        print(written)
    else:
        _RESULTS.write_text(written + "\n", encoding="utf-8")
        report.print()
        print(f"\nWritten to {_RESULTS.name}")
    return 1 if report.failures else 0


def _run(names: list[str], sizes: Sizes, *, quick: bool) -> Report:
    report = Report(quick=quick)
    started = time.monotonic()
    with places() as databases:
        report.postgres = databases.postgres_version()
        for name in names:
            report.note_load(name)
            print(f"measuring: {name} …", file=sys.stderr, flush=True)
            try:
                report.figures += _PARTS[name](databases, sizes)
            except Exception as error:  # noqa: BLE001 - the other parts go on
                traceback.print_exc()
                report.failures[name] = f"{type(error).__name__}: {error}"
    report.seconds = time.monotonic() - started
    return report


if __name__ == "__main__":
    sys.exit(main())
