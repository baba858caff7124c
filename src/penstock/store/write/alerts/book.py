"""The alert book: states and their messages change in one transaction.

One sender at a time has a message.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, delete, func, or_, select, update

from penstock.alerts.book import AlertMessage, AlertState, advance, message_body
from penstock.alerts.tables import alert, alert_look, alert_message
from penstock.alerts.tables import alert_target as targets
from penstock.columns import DatabaseNow, read_clock
from penstock.errors import PenstockError
from penstock.runs.events import AlertsChanged
from penstock.store.session.backend import broadcast
from penstock.store.statements.upsert import insert_or_ignore, upsert
from penstock.store.write.alerts.lists import alert_of
from penstock.store.write.alerts.targets import opened

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row

    from penstock.access.vault import Vault
    from penstock.alerts.book import Alert, Policy
    from penstock.alerts.rules import HealthFacts, RuleFinding
    from penstock.store.session.database import Database
    from penstock.store.write.alerts.health import HealthQueries

# A clock that is set back by more than this does not silence the alerts.
_CLOCK_STEP_MS = 5_000
_ATTEMPTS = 8
_BACKOFF_S = 10
_LONGEST_BACKOFF_S = 900
ALERTS_KEPT_DAYS = 7
_KEPT_MS = ALERTS_KEPT_DAYS * 86_400_000
_MOST_CHARS = 500
_SOON_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class BookOptions:
    """How often to evaluate, and after how long another sender takes over a message."""

    interval_s: float = 60.0
    claim_s: float = 30.0
    backoff_s: float = _BACKOFF_S


class SqlAlertBook:
    """The AlertBook of a database."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        health: HealthQueries,
        policy: Policy,
        options: BookOptions,
    ) -> None:
        self._database = database
        self._vault = vault
        self._health = health
        self._policy = policy
        self._interval_ms = int(options.interval_s * 1000)
        self._claim_ms = int(options.claim_s * 1000)
        self._backoff_s = options.backoff_s

    async def evaluate(self) -> float:
        """Evaluate the rules if it is time; the facts are read first, so that no writer waits."""
        wait_s, facts = await self._database.read(self._look)
        if facts is not None:
            await self._database.write(lambda connection: self._record(connection, facts))
        return wait_s

    async def take(self) -> list[AlertMessage]:
        return (
            await self._database.write(self._take)
            if await self._database.read(_anything_due)
            else []
        )

    async def sent(self, message: AlertMessage) -> None:
        done = (
            update(alert_message)
            .where(alert_message.c.id == message.id)
            .values(sent_at=DatabaseNow(), error=None)
        )
        await self._database.write(lambda connection: connection.execute(done))

    async def failed(self, message: AlertMessage, error: str) -> None:
        await self._database.write(
            lambda connection: self._put_off(connection, message.id, message.attempt, error)
        )

    def _look(self, connection: Connection) -> tuple[float, HealthFacts | None]:
        """Seconds until the next look, and the facts if one is due now."""
        looked_at = connection.scalar(select(alert_look.c.looked_at))
        now = read_clock(connection)
        if looked_at is not None and now - self._interval_ms < looked_at <= now + _CLOCK_STEP_MS:
            return max(_SOON_S, (looked_at + self._interval_ms - now) / 1000), None
        return self._interval_ms / 1000, self._health.facts(connection)

    def _record(self, connection: Connection, facts: HealthFacts) -> None:
        now = read_clock(connection)
        if not self._claim_look(connection, now):
            return
        target_ids = connection.scalars(select(targets.c.id).where(targets.c.enabled)).all()
        policy = replace(self._policy, has_targets=bool(target_ids))
        if due := _advance(connection, self._health.rules.findings(facts), now, policy):
            body = message_body(due, now)
            rows = [
                {"target_id": target_id, "body": body, "created_at": now, "next_try_at": now}
                for target_id in target_ids
            ]
            connection.execute(alert_message.insert(), rows)
        _forget_old(connection, now)

    def _claim_look(self, connection: Connection, now: int) -> bool:
        """Whether this process evaluates the rules this time."""
        connection.execute(insert_or_ignore(connection, alert_look).values(id=1, looked_at=0))
        late = or_(
            alert_look.c.looked_at <= now - self._interval_ms,
            alert_look.c.looked_at > now + _CLOCK_STEP_MS,
        )
        return (
            connection.execute(update(alert_look).where(late).values(looked_at=now)).rowcount == 1
        )

    def _take(self, connection: Connection) -> list[AlertMessage]:
        due = (
            select(
                alert_message.c.id.label("message_id"),
                alert_message.c.body,
                alert_message.c.attempt,
                targets,
            )
            .join(targets, targets.c.id == alert_message.c.target_id)
            .where(_DUE)
            .with_for_update(of=alert_message, skip_locked=True)
        )
        rows = connection.execute(due).all()
        if rows:
            claim = update(alert_message).where(
                alert_message.c.id.in_([row.message_id for row in rows])
            )
            until = DatabaseNow(ago_ms=-self._claim_ms)
            connection.execute(claim.values(next_try_at=until, attempt=alert_message.c.attempt + 1))
        return [one for row in rows if (one := self._outgoing(connection, row))]

    def _outgoing(self, connection: Connection, row: Row[Any]) -> AlertMessage | None:
        """The message; None if its target's secrets cannot be read, which is noted."""
        attempt = row.attempt + 1
        try:
            return AlertMessage(
                id=row.message_id, target=opened(row, self._vault), body=row.body, attempt=attempt
            )
        except PenstockError as error:
            self._put_off(connection, row.message_id, attempt, str(error))
            return None

    def _put_off(self, connection: Connection, message_id: int, attempt: int, error: str) -> None:
        wait_s = min(_LONGEST_BACKOFF_S, self._backoff_s * 2 ** (attempt - 1))
        later = DatabaseNow(ago_ms=-int(wait_s * 1000))
        connection.execute(
            update(alert_message)
            .where(alert_message.c.id == message_id)
            .values(next_try_at=later, error=error[:_MOST_CHARS])
        )


_WAITING = and_(alert_message.c.sent_at.is_(None), alert_message.c.attempt < _ATTEMPTS)
# Only the oldest of each target: messages arrive in order, and a silent target holds up no other.
_OLDEST = (
    select(func.min(alert_message.c.id))
    .join(targets, targets.c.id == alert_message.c.target_id)
    .where(_WAITING, targets.c.enabled)
    .group_by(alert_message.c.target_id)
)
_DUE = and_(alert_message.c.id.in_(_OLDEST), alert_message.c.next_try_at <= DatabaseNow(), _WAITING)


def _anything_due(connection: Connection) -> bool:
    return connection.scalar(select(alert_message.c.id).where(_DUE).limit(1)) is not None


def _advance(
    connection: Connection, found: dict[tuple[str, str], RuleFinding], now: int, policy: Policy
) -> list[Alert]:
    """Write the present states; gives the alerts to send."""
    before = {
        (one.rule, one.subject): one for one in map(alert_of, connection.execute(select(alert)))
    }
    steps = [
        step
        for key in [*found, *(before.keys() - found.keys())]
        if (step := advance(before.get(key), found.get(key), now, policy))
    ]
    if steps:
        change = ("state", "message", "since", "seen_at", "notified_at")
        put = upsert(connection, alert, change=change)
        connection.execute(put, [asdict(step.alert) for step in steps])
    if any(
        _changed(before.get((step.alert.rule, step.alert.subject)), step.alert) for step in steps
    ):
        broadcast(connection, AlertsChanged(), "alerts")
    return [step.alert for step in steps if step.send]


def _forget_old(connection: Connection, now: int) -> None:
    """Delete resolved alerts, and messages that were sent or given up, after some days."""
    old = now - _KEPT_MS
    connection.execute(
        delete(alert).where(alert.c.state == AlertState.RESOLVED, alert.c.since < old)
    )
    connection.execute(delete(alert_message).where(alert_message.c.created_at < old))


def _changed(before: Alert | None, after: Alert) -> bool:
    """Whether followers of the alerts see a change."""
    return before is None or (before.state, before.message) != (after.state, after.message)
