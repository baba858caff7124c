"""The feed of candles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.api.live.feeds.channels import MarketDataChannel
from penstock.api.live.feeds.messages import message, resync_message
from penstock.api.schemas.market.candle import CandleShown
from penstock.errors import InvalidInputError
from penstock.market.instrument import Directory
from penstock.market.queries.candles import newest_candles
from penstock.market.queries.instruments import instruments
from penstock.market.queries.series import find_series
from penstock.runs.events import RowsStored

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from sqlalchemy import Connection

    from penstock.api.live.feeds.protocol import News
    from penstock.market.queries.candles import StoredCandle
    from penstock.runs.events import Event

# The most candles of a series that are sent after one change; followers read the others.
_MOST_CANDLES = 10


class CandleFeed:
    """Series are followed by the names that their followers use, even before any collection.

    `exchange` is the one whose symbols will be known, though they may not be yet.
    """

    kind = MarketDataChannel

    def __init__(self, exchange: str) -> None:
        self._exchange = exchange
        self._ids: dict[MarketDataChannel, int] = {}
        self._channels: dict[int, set[MarketDataChannel]] = {}
        self._pending: set[MarketDataChannel] = set()
        self._sent: dict[int, StoredCandle] = {}
        # What to read: series by name (new ones are checked) and by number.
        self._new: set[MarketDataChannel] = set()
        self._names: set[MarketDataChannel] = set()
        self._series: set[int] = set()
        # What was read: series by name, their newest candles, and why names are refused.
        self._found: Mapping[MarketDataChannel, int] = {}
        self._candles: Mapping[int, list[StoredCandle]] = {}
        self._refused: dict[MarketDataChannel, InvalidInputError] = {}

    def changed_by(self, event: Event) -> int | None:
        """The number of a series whose candles were stored."""
        match event:
            case RowsStored("candle", series_id):
                return series_id
        return None

    def ask(
        self,
        changed: Collection[int],
        fresh: Collection[MarketDataChannel],
        again: Collection[MarketDataChannel],
    ) -> bool:
        """Read what changed of what is followed, and what is asked for."""
        changed, asked = {*changed}, {*fresh, *again}
        followed = self._channels.keys()
        self._new = {channel for channel in asked if channel not in self._ids}
        self._names = set(self._new)
        if changed - followed:
            self._names |= self._pending
        self._series = (changed & followed) | {
            self._ids[channel] for channel in asked if channel in self._ids
        }
        return bool(self._names or self._series)

    def read(self, connection: Connection) -> None:
        """Read the newest candles."""
        found = find_series(connection, self._names) if self._names else {}
        series = {*self._series, *found.values()}
        candles = newest_candles(connection, series, _MOST_CANDLES) if series else {}
        self._found, self._candles = found, candles
        self._refuse_unknown(connection, self._new - found.keys())

    def changes(self) -> Iterator[News]:
        """The candles that no follower has yet."""
        for channel, series_id in self._found.items():
            if channel in self._pending:
                self._follow(channel, series_id)
        for series_id in self._candles.keys() & self._channels.keys():
            yield from self._changes_of(series_id, self._candles[series_id])

    def _changes_of(self, series_id: int, candles: list[StoredCandle]) -> Iterator[News]:
        if not candles:
            return
        sent = self._sent.get(series_id)
        self._sent[series_id] = candles[-1]
        new = candles[-1:]
        if sent is not None:
            new = [
                candle
                for candle in candles
                if candle.open_time >= sent.open_time and candle != sent
            ]
        for channel in self._channels[series_id]:
            if sent is not None and _may_lack(candles, sent):
                reason = (
                    f"more candles of {channel.symbol} {channel.timeframe} were stored at once "
                    "than are sent here; /api/v1/candles has them"
                )
                yield {channel}, resync_message(reason)
            yield from (({channel}, _message(channel, candle)) for candle in new)

    def state(
        self,
        channel: MarketDataChannel,
        *,
        again: bool,  # noqa: ARG002 - the same for both
    ) -> list[str]:
        """Follow a series; gives its newest candle."""
        series_id = self._ids.get(channel, self._found.get(channel))
        if series_id is None:
            if channel in self._refused:
                raise self._refused[channel]
            self._pending.add(channel)
            return []
        self._follow(channel, series_id)
        candles = self._candles.get(series_id)
        if not candles:
            return []
        self._sent[series_id] = candles[-1]
        return [_message(channel, candles[-1])]

    def _refuse_unknown(self, connection: Connection, names: set[MarketDataChannel]) -> None:
        """Refuse names that can never be collected, and not those that are not collected yet.

        The nearest names are not looked for: hundreds of unknown ones would take seconds.
        """
        self._refused = {}
        listed = {
            name: instruments(connection, name) for name in {channel.exchange for channel in names}
        }
        known = {exchange: Directory(found) for exchange, found in listed.items() if found}
        for channel in names:
            try:
                self._check(channel, known)
            except InvalidInputError as error:
                self._refused[channel] = error

    def _check(self, channel: MarketDataChannel, known: Mapping[str, Directory]) -> None:
        exchange, symbol = channel.exchange, channel.symbol
        if exchange in known:
            if not known[exchange].knows(symbol):
                raise InvalidInputError(
                    f"symbol: unknown symbol {symbol!r}; "
                    f"GET /api/v1/symbols?exchange={exchange} lists those that exist",
                    field="symbol",
                )
            known[exchange].find(symbol)
        elif exchange != self._exchange:
            raise InvalidInputError(
                f"exchange: nothing is known of {exchange[:40]!r}; collect something from it first",
                field="exchange",
            )

    def _follow(self, channel: MarketDataChannel, series_id: int) -> None:
        self._pending.discard(channel)
        self._ids[channel] = series_id
        self._channels.setdefault(series_id, set()).add(channel)

    def forget(self, channel: MarketDataChannel) -> None:
        """Stop following a name, and a series that has no other."""
        self._pending.discard(channel)
        series_id = self._ids.pop(channel, None)
        if series_id is not None:
            self._channels[series_id].discard(channel)
            if not self._channels[series_id]:
                del self._channels[series_id]
                self._sent.pop(series_id, None)


def _may_lack(candles: Sequence[StoredCandle], sent: StoredCandle) -> bool:
    """Whether there may be candles between the last one sent and the oldest one read."""
    return len(candles) == _MOST_CANDLES and candles[0].open_time > sent.open_time


def _message(channel: MarketDataChannel, candle: StoredCandle) -> str:
    """A candle, under the name that the follower uses."""
    content = {
        "symbol": channel.symbol,
        "exchange": channel.exchange,
        "timeframe": channel.timeframe,
        "candle": CandleShown.of(candle),
        "closed": bool(candle.closed),
    }
    return message("market_data", content)
