"""A database with its alert book, for tests of alerts."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from penstock.access.vault import Vault, new_key
from penstock.alerts.book import Address, Policy, TargetKind
from penstock.alerts.loop import Alerting
from penstock.alerts.notify.sender import Sender
from penstock.alerts.rules import AlertLimits
from penstock.columns import read_clock
from penstock.inventory.queries.accounts import has_account
from penstock.inventory.sync.health import RULES
from penstock.market.configured import Configured
from penstock.market.runs.automatic import Automatic
from penstock.market.runs.health import rules
from penstock.store.keys import GivenKeys
from penstock.store.write.alerts.book import BookOptions, SqlAlertBook
from penstock.store.write.alerts.health import HealthQueries
from penstock.store.write.alerts.lists import AlertList, list_alerts
from penstock.store.write.alerts.targets import SqlTargets
from tests.engine.engines import Engine, background

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from penstock.alerts.book import Alert
    from penstock.alerts.rules import HealthFacts

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
CONFIGURED = Configured(symbols=("BTC/USDT",), timeframes=("1m", "1h"))
HEALTH = HealthQueries(
    AlertLimits(executions=4),
    ["data_collection", "symbol_refresh"],
    [*rules(Automatic(CONFIGURED, ["binance"], has_account), "collect_data_all"), *RULES],
)
POLICY = Policy(cooldown_ms=HOUR, settle_ms=0, recovered=HEALTH.rules.recovered)
VAULT = Vault(GivenKeys(new_key()))


@dataclass
class Alarm:
    """A database with its alert book."""

    engine: Engine
    policy: Policy = POLICY
    options: BookOptions = field(
        default_factory=lambda: BookOptions(interval_s=0.001, backoff_s=0.01)
    )

    def __post_init__(self) -> None:
        self.health = HEALTH
        self.targets = SqlTargets(self.engine.database, VAULT)
        self.book = self.new_book()

    def new_book(self, **given: Any) -> SqlAlertBook:
        options = BookOptions(**given) if given else self.options
        return SqlAlertBook(self.engine.database, VAULT, self.health, self.policy, options)

    async def facts(self) -> HealthFacts:
        return await self.engine.database.read(self.health.facts)

    async def now(self) -> int:
        return await self.engine.database.read(read_clock)

    def at(self, at_ms: int) -> str:
        """A time as SQL for either database."""
        return str(at_ms) if self.engine.database.file else f"to_timestamp({at_ms} / 1000.0)"

    async def executions(
        self,
        status: str,
        count: int,
        *,
        ago_ms: int = MINUTE,
        seconds: float = 1.0,
        records: int = 6,
        job_type: str = "data_collection",
    ) -> None:
        started = self.at(await self.now() - ago_ms)
        row = f"(1, 'collect_data_1', '{job_type}', {started}, {seconds}, '{status}', {records})"
        columns = (
            "(run_id, job_name, job_type, started_at, duration_seconds, status, records_collected)"
        )
        if count:
            await self.engine.change(
                f"INSERT INTO job_execution_logs {columns} VALUES {', '.join([row] * count)}"
            )

    async def add_target(self, url: str, name: str = "mine") -> int:
        address = Address(
            kind=TargetKind.WEBHOOK, url=url, shown="x", signing_key="a key of some length"
        )
        return (await self.targets.add(name, address)).id

    async def evaluate(self, times: int = 1) -> None:
        for _ in range(times):
            await self.engine.change(f"UPDATE alert_look SET looked_at = {self.at(0)}")
            await self.book.evaluate()

    async def alerts(self) -> list[Alert]:
        return await self.engine.database.read(
            lambda connection: list_alerts(connection, AlertList(limit=100))
        )

    async def states(self) -> dict[str, str]:
        return {f"{alert.rule} {alert.subject}": alert.state.value for alert in await self.alerts()}

    async def messages(self) -> list[dict[str, Any]]:
        return await self.engine.rows("SELECT * FROM alert_message ORDER BY id")

    @contextlib.asynccontextmanager
    async def sending(self) -> AsyncIterator[None]:
        """Send messages during the block; only the test evaluates the rules."""
        sender = Sender(deadline_s=30, allow_private=True)
        async with background(Alerting(self.book, sender, first_after_s=3600, poll_s=0.02).run()):
            yield
