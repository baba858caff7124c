"""What can be subscribed to, and what a client says."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Annotated

import msgspec

from penstock.errors import InvalidInputError
from penstock.market.instrument import folded, parse_timeframes

if TYPE_CHECKING:
    from collections.abc import Hashable
    from typing import Self

_AT_ONCE = 500

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=50)]


class Channel(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="channel"):
    """A channel; equal ones are the same subscription."""

    def checked(self) -> Self:
        """The channel as it is kept; InvalidInputError for one that cannot exist."""
        return self

    @property
    def meaning(self) -> Hashable:
        """The same for channels that are one under different names."""
        return self


class MarketDataChannel(Channel, frozen=True, tag="market_data"):
    """The candles of a series as they are stored.

    `symbol` is unified or native, and messages carry it as the client gave it.
    """

    symbol: Name
    timeframe: Name
    exchange: Name = "binance"

    def checked(self) -> Self:
        """The channel without spaces around its symbol."""
        parse_timeframes([self.timeframe])
        for field in ("symbol", "exchange"):
            # PostgreSQL has no NUL in a text, and no name has any of the others.
            if not getattr(self, field).isprintable():
                raise InvalidInputError(f"{field}: a name has no control characters", field=field)
        return msgspec.structs.replace(self, symbol=self.symbol.strip())

    @property
    def meaning(self) -> Hashable:
        """The series, however its name is written."""
        return self.exchange, self.timeframe, folded(self.symbol).replace("/", "")


class TasksChannel(Channel, frozen=True, tag="tasks"):
    """The progress of all tasks, or of one."""

    task_id: uuid.UUID | None = None


class InventoryChannel(Channel, frozen=True, tag="inventory"):
    """The syncs of all accounts, or of one."""

    account_id: Annotated[int, msgspec.Meta(ge=1, lt=2**31)] | None = None


class AlertChannel(Channel, frozen=True, tag="alert"):
    """Alerts that fire, change, or are resolved."""


class ConfigsChannel(Channel, frozen=True, tag="configs"):
    """That configs were added, changed or deleted."""


Subscribable = MarketDataChannel | TasksChannel | InventoryChannel | AlertChannel | ConfigsChannel


class ClientMessage(msgspec.Struct, forbid_unknown_fields=True):
    """What a client says."""

    subscribe: Annotated[list[Subscribable], msgspec.Meta(max_length=_AT_ONCE)] = []
    unsubscribe: Annotated[list[Subscribable], msgspec.Meta(max_length=_AT_ONCE)] = []


def parse(text: str | bytes) -> ClientMessage:
    """The message of a client; InvalidInputError names the part that is wrong."""
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
        subscribe=[channel.checked() for channel in dict.fromkeys(message.subscribe)],
        unsubscribe=[channel.checked() for channel in dict.fromkeys(message.unsubscribe)],
    )
