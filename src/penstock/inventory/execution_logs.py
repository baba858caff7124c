"""What a run of the inventory domain says in the execution log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.inventory.refresh import CATALOGUE_REFRESH
from penstock.inventory.source import MARKETPLACE
from penstock.inventory.sync import INVENTORY_SYNC
from penstock.runs.run import LogEntry

if TYPE_CHECKING:
    from penstock.runs.run import Run


def log_entries(run: Run) -> list[LogEntry]:
    """The row of a run: its symbol is the name of the account."""
    if run.kind not in {INVENTORY_SYNC, CATALOGUE_REFRESH}:
        return []
    # What another version has submitted may not name the account: then the row has no symbol.
    name = run.params.get("account")
    metadata = {"dry_run": bool(run.params.get("dry_run"))} if run.kind == INVENTORY_SYNC else {}
    return [LogEntry(job_type=run.kind, symbol=None if name is None else str(name), exchange=MARKETPLACE, metadata=metadata)]
