"""What can be subscribed to, and the messages about it."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from penstock.api.schemas.alert import alert_fields
from penstock.api.schemas.candle import candle_fields
from penstock.api.schemas.inventory import sync_fields
from penstock.api.schemas.task import task_fields
from penstock.errors import InvalidInputError, PenstockError
from penstock.market.instrument import folded, parse_timeframes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from penstock.alerts.book import Alert
    from penstock.inventory.sync.shown import SyncRun
    from penstock.market.queries.candles import StoredCandle
    from penstock.runs.queries import RunRow

_AT_ONCE = 500

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=50)]


class Channel(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="channel"):
    """A channel; equal ones are the same subscription."""


class MarketData(Channel, frozen=True, tag="market_data"):
    """The candles of a series, as they are stored; `symbol` is unified or native, and comes back as it was asked for."""

    symbol: Name
    timeframe: Name
    exchange: Name = "binance"


class Tasks(Channel, frozen=True, tag="tasks"):
    """The progress of all tasks, or of one."""

    task_id: uuid.UUID | None = None


class Inventory(Channel, frozen=True, tag="inventory"):
    """The syncs of all accounts, or of one."""

    account_id: Annotated[int, msgspec.Meta(ge=1, lt=2**31)] | None = None


class Alerts(Channel, frozen=True, tag="alert"):
    """Alerts that fire, say something else, or are resolved."""


Subscribable = MarketData | Tasks | Inventory | Alerts


class ClientMessage(msgspec.Struct, forbid_unknown_fields=True):
    """What a client says."""

    subscribe: Annotated[list[Subscribable], msgspec.Meta(max_length=_AT_ONCE)] = []
    unsubscribe: Annotated[list[Subscribable], msgspec.Meta(max_length=_AT_ONCE)] = []


def parse(text: str | bytes) -> ClientMessage:
    """InvalidInputError names the part that is wrong."""
    try:
        message = msgspec.json.decode(text, type=ClientMessage)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$.")
        field = where.rstrip("`") or "message"
        raise InvalidInputError(f"{field}: {what}", field=field) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise InvalidInputError(
            'message: send JSON such as {"subscribe": [{"channel": "tasks"}]}', field="message"
        ) from None
    if not (message.subscribe or message.unsubscribe):
        raise InvalidInputError(
            "message: name channels to subscribe or to unsubscribe", field="message"
        )
    return ClientMessage(
        subscribe=_normal(message.subscribe), unsubscribe=_normal(message.unsubscribe)
    )


def _normal(channels: list[Subscribable]) -> list[Subscribable]:
    return [
        _normal_series(channel) if isinstance(channel, MarketData) else channel
        for channel in dict.fromkeys(channels)
    ]


def _normal_series(channel: MarketData) -> MarketData:
    parse_timeframes([channel.timeframe])
    for field in ("symbol", "exchange"):
        # PostgreSQL has no NUL in a text, and no name has any of the others.
        if not getattr(channel, field).isprintable():
            message = f"{field}: a name has no control characters"
            raise InvalidInputError(message, field=field)
    return msgspec.structs.replace(channel, symbol=channel.symbol.strip())


def same_series(one: MarketData, other: MarketData) -> bool:
    """Whether both mean the same series, be it by another name."""
    names = (folded(channel.symbol).replace("/", "") for channel in (one, other))
    return (one.exchange, one.timeframe, next(names)) == (
        other.exchange,
        other.timeframe,
        next(names),
    )


def market_data_message(channel: MarketData, candle: StoredCandle) -> str:
    """The message that a candle was stored."""
    message = {
        "type": "market_data",
        "symbol": channel.symbol,
        "exchange": channel.exchange,
        "timeframe": channel.timeframe,
    }
    return unnumbered(message | {"candle": candle_fields(candle), "closed": bool(candle.closed)})


def task_message(run: RunRow) -> str:
    """The message that a task came further."""
    return unnumbered({"type": "task", **task_fields(run)})


def inventory_message(sync: SyncRun) -> str:
    """The message that a sync came further, or was decided."""
    return unnumbered({"type": "inventory", **sync_fields(sync)})


def alert_message(alert: Alert) -> str:
    """The message that an alert is as it is now."""
    return unnumbered({"type": "alert", **alert_fields(alert)})


def resync_message(reason: str) -> str:
    """The message that others were left out; the present state of all that the client follows comes after it."""
    return unnumbered({"type": "resync", "reason": reason})


def error_message(error: PenstockError) -> str:
    """The answer to what cannot be done."""
    field = {"field": error.field} if isinstance(error, InvalidInputError) else {}
    return unnumbered({"type": "error", "code": error.code, **field, "detail": str(error)})


def unnumbered(message: Mapping[str, Any]) -> str:
    """A message as text, encoded once for all who get it, and still open for the number that it has for each of them."""
    return msgspec.json.encode(message)[:-1].decode()


def numbered(message: str, number: int) -> str:
    """The whole message."""
    return f'{message},"seq":{number}}}'
