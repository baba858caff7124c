"""What the hub reads for its clients, and what it makes of that: one feed for candles, one for tasks, one for syncs, one for alerts."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from penstock.alerts.book import AlertState
from penstock.api.live.channels import (
    Alerts,
    Inventory,
    MarketData,
    Tasks,
    alert_message,
    inventory_message,
    market_data_message,
    resync_message,
    task_message,
)
from penstock.errors import InvalidInputError
from penstock.market.instrument import find_instruments
from penstock.market.queries.candles import Lookup, look_up
from penstock.runs.queries import RunList
from penstock.runs.run import ENDED
from penstock.store.write.alerts.lists import AlertList, list_alerts

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from penstock.alerts.book import Alert
    from penstock.inventory.sync.shown import SyncQueries, SyncRun
    from penstock.market.instrument import Instrument
    from penstock.market.queries.candles import StoredCandle
    from penstock.runs.queries import RunQueries, RunRow
    from penstock.store.database import Database

# As many candles of a series as one change of it can bring to its followers; beyond that they are told to read them.
_MOST_CANDLES = 10
_MOST_TASKS = 200
_MOST_ALERTS = 1_000
_MOST_ACCOUNTS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was read in one look at the database."""

    series: Lookup[MarketData] = field(default_factory=lambda: Lookup({}, {}, {}))
    runs: Sequence[RunRow] = ()
    tasks: Mapping[str, RunRow] = field(default_factory=dict)
    active: Sequence[RunRow] = ()
    listed: Sequence[RunRow] = ()
    alerts: Sequence[Alert] | None = None
    syncs: Sequence[SyncRun] = ()
    newest: Mapping[int, SyncRun | None] = field(default_factory=dict)


@dataclass(slots=True)
class Wanted:
    """What to read: series by name (`new` ones are checked) or id, runs by id or task, lists of tasks, syncs by run, the newest of accounts."""

    names: set[MarketData] = field(default_factory=set)
    new: set[MarketData] = field(default_factory=set)
    series: set[int] = field(default_factory=set)
    runs: set[int] = field(default_factory=set)
    task_ids: set[str] = field(default_factory=set)
    active: bool = False
    listed: bool = False
    alerts: bool = False
    syncs: set[int] = field(default_factory=set)
    accounts: set[int] = field(default_factory=set)
    all_accounts: bool = False

    def __bool__(self) -> bool:
        by_id = (
            self.names or self.series or self.runs or self.task_ids or self.syncs or self.accounts
        )
        return bool(by_id or self.active or self.listed or self.alerts or self.all_accounts)

    async def read(self, database: Database, runs: RunQueries, syncs: SyncQueries) -> Seen:
        """Read it, all in one transaction; what is not asked for costs no statement."""
        return await database.read(
            lambda connection: Seen(
                series=look_up(
                    connection, self.names, self.series, checked=self.new, most=_MOST_CANDLES
                ),
                runs=runs.named(connection, ids=self.runs) if self.runs else (),
                tasks={run.task_id: run for run in runs.named(connection, task_ids=self.task_ids)}
                if self.task_ids
                else {},
                active=runs.listed(connection, RunList(limit=_MOST_TASKS, active_only=True))[::-1]
                if self.active
                else (),
                listed=runs.listed(connection, RunList(limit=_MOST_TASKS))[::-1]
                if self.listed
                else (),
                alerts=list_alerts(connection, AlertList(limit=_MOST_ALERTS))
                if self.alerts
                else None,
                syncs=syncs.named(connection, self.syncs) if self.syncs else (),
                newest=syncs.newest_of(
                    connection, self.accounts, every=self.all_accounts, most=_MOST_ACCOUNTS
                ),
            )
        )


class SeriesFeed:
    """Who is told of which candle. A series is followed by the names that its followers use, also before it was ever collected.

    `exchange` is the one whose symbols will be known, though they may not be yet.
    """

    def __init__(self, exchange: str) -> None:
        self._exchange = exchange
        self._ids: dict[MarketData, int] = {}
        self._channels: dict[int, set[MarketData]] = {}
        self._pending: set[MarketData] = set()
        self._told: dict[int, StoredCandle] = {}

    def ask(self, wanted: Wanted, changed: set[int], asked: Collection[MarketData]) -> None:
        """Have read what changed of what is followed, and what is asked for."""
        wanted.new = {channel for channel in asked if channel not in self._ids}
        wanted.names = set(wanted.new)
        if changed - self._channels.keys():
            wanted.names |= self._pending
        wanted.series = (changed & self._channels.keys()) | {
            self._ids[channel] for channel in asked if channel in self._ids
        }

    def changes(self, seen: Seen) -> Iterator[tuple[set[MarketData], str]]:
        """Messages, each with the channels that get it."""
        for channel, series_id in seen.series.ids.items():
            if channel in self._pending:
                self._follow(channel, series_id)
        for series_id in seen.series.candles.keys() & self._channels.keys():
            yield from self._changes_of(series_id, seen.series.candles[series_id])

    def _changes_of(
        self, series_id: int, candles: list[StoredCandle]
    ) -> Iterator[tuple[set[MarketData], str]]:
        if not candles:
            return
        told = self._told.get(series_id)
        self._told[series_id] = candles[-1]
        news = (
            candles[-1:]
            if told is None
            else [one for one in candles if one.open_time >= told.open_time and one != told]
        )
        for channel in self._channels[series_id]:
            if (
                told is not None
                and len(candles) == _MOST_CANDLES
                and candles[0].open_time > told.open_time
            ):
                reason = f"more candles of {channel.symbol} {channel.timeframe} were stored at once than are sent here; /api/v1/candles has them"
                yield {channel}, resync_message(reason)
            yield from (({channel}, market_data_message(channel, candle)) for candle in news)

    def state(self, channel: MarketData, seen: Seen) -> list[str]:
        """Follow a channel; gives what a new follower gets first. InvalidInputError when there is no such series."""
        series_id = self._ids.get(channel, seen.series.ids.get(channel))
        if series_id is None:
            self._refuse_unknown(channel, seen.series.listed.get(channel.exchange, ()))
            self._pending.add(channel)
            return []
        self._follow(channel, series_id)
        candles = seen.series.candles.get(series_id)
        if not candles:
            return []
        self._told[series_id] = candles[-1]
        return [market_data_message(channel, candles[-1])]

    def _refuse_unknown(self, channel: MarketData, listed: Sequence[Instrument]) -> None:
        """A name that nobody will ever collect; one that was just not collected yet is good."""
        if listed:
            find_instruments([channel.symbol], listed)
        elif channel.exchange != self._exchange:
            message = f"exchange: nothing is known of {channel.exchange[:40]!r}; collect something from it first"
            raise InvalidInputError(message, field="exchange")

    def _follow(self, channel: MarketData, series_id: int) -> None:
        self._pending.discard(channel)
        self._ids[channel] = series_id
        self._channels.setdefault(series_id, set()).add(channel)

    def forget(self, channel: MarketData) -> None:
        """Nobody follows it any more."""
        self._pending.discard(channel)
        series_id = self._ids.pop(channel, None)
        if series_id is not None:
            self._channels[series_id].discard(channel)
            if not self._channels[series_id]:
                del self._channels[series_id]
                self._told.pop(series_id, None)


class TaskFeed:
    """Who is told of which task. A state that was told already is not told again."""

    def __init__(self) -> None:
        self._channels: set[Tasks] = set()
        self._told: dict[int, str] = {}

    def ask(
        self, wanted: Wanted, changed: set[int], asked: Collection[Tasks], again: Collection[Tasks]
    ) -> None:
        """Have read what changed and what is asked for; who asks `again` may have missed how a task ended."""
        if self._channels:
            wanted.runs = changed
        else:
            self._told.clear()
        wanted.active = Tasks() in asked
        wanted.listed = Tasks() in again
        wanted.task_ids = {
            str(channel.task_id) for channel in (*asked, *again) if channel.task_id is not None
        }

    def changes(self, seen: Seen) -> Iterator[tuple[set[Tasks], str]]:
        """Messages, each with the channels that get it."""
        for run in seen.runs:
            message = task_message(run)
            if self._told.get(run.id) == message:
                continue
            if run.state in ENDED:
                self._told.pop(run.id, None)
            else:
                self._told[run.id] = message
            yield {Tasks(), Tasks(task_id=uuid.UUID(run.task_id))}, message

    def state(self, channel: Tasks, seen: Seen, *, again: bool) -> list[str]:
        """Follow a channel; gives what a new follower gets first. InvalidInputError when there is no such task."""
        if channel.task_id is None:
            self._channels.add(channel)
            return [task_message(run) for run in (seen.listed if again else seen.active)]
        run = seen.tasks.get(str(channel.task_id))
        if run is None:
            message = f"task_id: there is no task {channel.task_id}"
            raise InvalidInputError(message, field="task_id")
        self._channels.add(channel)
        return [task_message(run)]

    def forget(self, channel: Tasks) -> None:
        """Nobody follows it any more."""
        self._channels.discard(channel)


class InventoryFeed:
    """Who is told of which sync. A state that was told already is not told again."""

    def __init__(self) -> None:
        self._channels: set[Inventory] = set()
        self._told: dict[int, str] = {}

    def ask(self, wanted: Wanted, changed: set[int], asked: Collection[Inventory]) -> None:
        """Have read what changed, and the newest sync of what is asked for."""
        if self._channels:
            wanted.syncs = changed
        else:
            self._told.clear()
        wanted.accounts = {
            channel.account_id for channel in asked if channel.account_id is not None
        }
        wanted.all_accounts = Inventory() in asked

    def changes(self, seen: Seen) -> Iterator[tuple[set[Inventory], str]]:
        """Messages, each with the channels that get it."""
        for sync in seen.syncs:
            message = inventory_message(sync)
            if self._told.get(sync.account_id) != message:
                self._told[sync.account_id] = message
                yield {Inventory(), Inventory(account_id=sync.account_id)}, message

    def state(self, channel: Inventory, seen: Seen) -> list[str]:
        """Follow a channel; gives what a new follower gets first. InvalidInputError when there is no such account."""
        if channel.account_id is not None and channel.account_id not in seen.newest:
            message = f"account_id: there is no account {channel.account_id}"
            raise InvalidInputError(message, field="account_id")
        self._channels.add(channel)
        newest = (
            seen.newest.values()
            if channel.account_id is None
            else [seen.newest[channel.account_id]]
        )
        return [inventory_message(sync) for sync in newest if sync is not None]

    def forget(self, channel: Inventory) -> None:
        """Nobody follows it any more."""
        self._channels.discard(channel)


class AlertFeed:
    """Who is told of alerts: first what fires, then each change."""

    def __init__(self) -> None:
        self._followed = False
        self._told: dict[tuple[str, str], str] = {}

    def ask(self, wanted: Wanted, *, changed: bool, asked: bool) -> None:
        """Have them read when they changed for somebody, or are asked for."""
        wanted.alerts = asked or (changed and self._followed)

    def changes(self, seen: Seen) -> Iterator[tuple[set[Alerts], str]]:
        """Messages, each with the channel that gets it."""
        if seen.alerts is None:
            return
        told, self._told = (
            self._told,
            {(one.rule, one.subject): alert_message(one) for one in seen.alerts},
        )
        if self._followed:
            yield from (
                ({Alerts()}, message)
                for key, message in reversed(self._told.items())
                if told.get(key) != message
            )

    def state(self, seen: Seen) -> list[str]:
        """Follow; gives what a new follower gets first."""
        self._followed = True
        return [
            alert_message(one)
            for one in reversed(seen.alerts or ())
            if one.state is AlertState.FIRING
        ]

    def forget(self) -> None:
        """Nobody follows them any more."""
        self._followed = False
