"""What the market collects without a config, by the settings; loads no source."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.domains.plugins import SOURCES, provided
from penstock.inventory.queries.accounts import has_account
from penstock.market.configured import Configured
from penstock.market.runs.automatic import Automatic

if TYPE_CHECKING:
    from penstock.settings import Settings

# The job name of the default schedule.
COLLECT_ALL = "collect_data_all"


def exchanges() -> list[str]:
    """The exchanges of installed packages."""
    return sorted(provided(SOURCES))


def automatic_of(settings: Settings) -> Automatic:
    """What is collected without a config."""
    configured = Configured(symbols=settings.symbols, timeframes=settings.timeframes)
    return Automatic(configured, exchanges(), has_account)
