"""What the market collects without a config, by the settings; loads no source."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.collection.domain import awake
from penstock.domains.plugins import SOURCES, provided
from penstock.inventory.queries.accounts import has_account
from penstock.market.configured import Configured
from penstock.market.runs.automatic import Automatic
from penstock.store.write.schedules import schedule_named

if TYPE_CHECKING:
    from penstock.settings import Settings
    from penstock.store.session.database import Transaction

# The job name of the default schedule.
COLLECT_ALL = "collect_data_all"


def exchanges() -> list[str]:
    """The exchanges of installed packages."""
    return sorted(provided(SOURCES))


def automatic_of(settings: Settings) -> Automatic:
    """What is collected without a config by a service with these settings."""
    configured = Configured(symbols=settings.symbols, timeframes=settings.timeframes)
    return Automatic(configured, exchanges(), has_account)


def automatic_by_service(connection: Transaction, settings: Settings) -> Automatic:
    """What the service that started last collects without a config.

    By these settings where none has started yet.
    """
    default = schedule_named(connection, awake, COLLECT_ALL)
    if default is None or "symbols" not in default.schedule.params:
        return automatic_of(settings)
    return Automatic(Configured.of(default.schedule.params), exchanges(), has_account)
