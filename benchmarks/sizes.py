"""The sizes of the benchmarks: full, or small enough to end within seconds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Numbers of symbols, rows and repetitions."""

    cycle_symbols: int = 50
    cycle_rounds: int = 3
    merge_rows: int = 30_000
    merge_rounds: int = 9
    slow_rows: int = 3_000
    slow_rounds: int = 3
    backfill_symbols: int = 10
    backfill_minutes: int = 100_000
    verify_minutes: int = 388_500
    verify_rounds: int = 3
    stored_series: int = 250
    stored_each: int = 20_000
    reads: int = 1_000
    ledger_series: int = 10_000
    ledger_reads: int = 30
    log_rows: int = 1_000_000
    log_reads: int = 30
    products: int = 250_000
    product_reads: int = 3
    parse_rounds: int = 5
    inventory_rounds: int = 3
    many_rounds: int = 2
    rival_products: int = 25_000
    rival_rounds: int = 1


FULL = Sizes()
QUICK = Sizes(
    cycle_symbols=5,
    cycle_rounds=1,
    merge_rows=3_000,
    merge_rounds=2,
    slow_rows=200,
    slow_rounds=1,
    backfill_symbols=2,
    backfill_minutes=3_000,
    verify_minutes=3_000,
    verify_rounds=1,
    stored_series=10,
    stored_each=1_000,
    reads=100,
    ledger_series=600,
    ledger_reads=5,
    log_rows=20_000,
    log_reads=5,
    products=10_000,
    product_reads=1,
    parse_rounds=2,
    inventory_rounds=1,
    many_rounds=1,
    rival_products=2_000,
)
