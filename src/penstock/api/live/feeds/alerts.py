"""The feed of alerts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.alerts.book import AlertState
from penstock.api.live.feeds.channels import AlertChannel
from penstock.api.live.feeds.messages import message
from penstock.api.schemas.alert import AlertShown
from penstock.runs.events import AlertsChanged
from penstock.store.write.alerts.lists import AlertList, list_alerts

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from sqlalchemy import Connection

    from penstock.alerts.book import Alert
    from penstock.api.live.feeds.protocol import News
    from penstock.runs.events import Event

_MOST_ALERTS = 1_000
# Any change concerns all alerts.
_ALL = 0


class AlertFeed:
    """First what fires, then each change."""

    kind = AlertChannel

    def __init__(self) -> None:
        self._followed = False
        self._sent: dict[tuple[str, str], str] = {}
        self._seen: Sequence[Alert] = ()

    def changed_by(self, event: Event) -> int | None:
        """The same number for every change."""
        return _ALL if isinstance(event, AlertsChanged) else None

    def ask(
        self,
        changed: Collection[int],
        fresh: Collection[AlertChannel],
        again: Collection[AlertChannel],
    ) -> bool:
        """Read them when they changed for a follower, or are asked for."""
        return bool(fresh or again or (changed and self._followed))

    def read(self, connection: Connection) -> None:
        """Read all alerts."""
        self._seen = list_alerts(connection, AlertList(limit=_MOST_ALERTS))

    def changes(self) -> Iterator[News]:
        """The alerts that were not sent as they are now."""
        sent = self._sent
        self._sent = {(alert.rule, alert.subject): _message(alert) for alert in self._seen}
        if self._followed:
            yield from (
                ({AlertChannel()}, text)
                for key, text in reversed(self._sent.items())
                if sent.get(key) != text
            )

    def state(
        self,
        channel: AlertChannel,  # noqa: ARG002 - there is only one
        *,
        again: bool,  # noqa: ARG002 - there is only one
    ) -> list[str]:
        """Follow the alerts; gives those that fire."""
        self._followed = True
        firing = (alert for alert in reversed(self._seen) if alert.state is AlertState.FIRING)
        return [_message(alert) for alert in firing]

    def forget(self, channel: AlertChannel) -> None:  # noqa: ARG002 - there is only one
        """Stop following the alerts."""
        self._followed = False


def _message(alert: Alert) -> str:
    return message("alert", AlertShown.of(alert))
