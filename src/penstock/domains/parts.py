"""The parts of a process from which domains are made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from penstock.http.client import HttpLimits
from penstock.runs.events import EventsLost, PauseLifted, ProviderPaused
from penstock.store.write.budget import SqlBudget

if TYPE_CHECKING:
    from penstock.access.vault import Vault
    from penstock.runs.events import Event
    from penstock.runs.queries import RunQueries
    from penstock.settings import Settings
    from penstock.store.session.database import Database


class Budgets:
    """The budgets of the providers, each shared with the other processes."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[str, SqlBudget] = {}

    def of(self, name: str, window_s: int = 60) -> SqlBudget:
        """The budget of a name, with its window."""
        return self._known.setdefault(name, SqlBudget(self._database, name, window_s=window_s))

    async def heed_pauses(self) -> None:
        """Follow pauses that other processes are asked for, or that are lifted, until cancelled."""
        with self._database.events.subscribed() as subscription:
            async for events in subscription:
                for event in events:
                    self._heed(event)

    def _heed(self, event: Event) -> None:
        match event:
            case PauseLifted(provider):
                if provider in self._known:
                    self._known[provider].lift()
            case ProviderPaused() | EventsLost():
                for budget in self._known.values():
                    budget.generation += 1
                    # It may be that a pause was lifted unheard; who waits then asks once more.
                    if isinstance(event, EventsLost):
                        budget.lift()


@dataclass(frozen=True, slots=True)
class Parts:
    """The argument of an entry point of `penstock.domains`."""

    settings: Settings
    database: Database
    vault: Vault
    runs: RunQueries
    budgets: Budgets

    @property
    def http(self) -> HttpLimits:
        """The limits of requests to a provider."""
        return http_limits(self.settings)


def http_limits(settings: Settings) -> HttpLimits:
    """The limits of requests to a provider."""
    return HttpLimits(
        idle_s=settings.request_idle_s,
        deadline_s=settings.request_deadline_s,
        attempts=settings.request_attempts,
        longest_pause_s=settings.request_longest_pause_s,
        connections=settings.request_concurrency,
        proxy=settings.proxy.get_secret_value() if settings.proxy else "",
    )
