"""What the market collects without a config, and when it does not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from penstock.market.queries.instruments import configured_symbols
from penstock.market.queries.series import has_config
from penstock.market.runs.submission import AUDIT, SCHEDULED_COLLECTION, SYMBOL_REFRESH

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection

    from penstock.collection.configs import Config
    from penstock.market.configured import Configured

_OWN = frozenset({AUDIT, SCHEDULED_COLLECTION, SYMBOL_REFRESH})


@dataclass(frozen=True, slots=True)
class Automatic:
    """The schedules of the market that no config makes.

    They are asleep where nobody has asked for candles: a seller's account is there
    (`has_seller`), no symbol is set, and no config of one of the `exchanges`.
    """

    configured: Configured
    exchanges: Sequence[str]
    has_seller: Callable[[Connection], bool]

    def asleep(self, connection: Connection, kind: str) -> str | None:
        """Why the schedules of a kind of run submit nothing now; None while they do."""
        if kind == SCHEDULED_COLLECTION and self.configured.is_none:
            return "PENSTOCK_SYMBOLS is none"
        return self._unasked(connection) if kind in _OWN else None

    def symbols(self, connection: Connection) -> list[str]:
        """The symbols that the default schedule collects now."""
        if self.asleep(connection, SCHEDULED_COLLECTION) is not None:
            return []
        return configured_symbols(connection, self.configured)

    def warnings(self, connection: Connection, config: Config) -> list[str]:
        """What a new config does besides collecting: the first of a market may wake the default."""
        if (
            self.configured.symbols is not None
            or config.spec.exchange not in self.exchanges
            or not self.has_seller(connection)
            or has_config(connection, self.exchanges, but=config.id)
        ):
            return []
        traded = f"the {self.configured.most_traded} most traded symbols"
        warning = (
            f"symbol: with this first config of a market the default schedule wakes up and collects"
            f" {traded} too; PENSTOCK_SYMBOLS=none stops it"
        )
        return [warning]

    def _unasked(self, connection: Connection) -> str | None:
        if self.configured.symbols or has_config(connection, self.exchanges):
            return None
        if self.configured.is_none:
            return "no market config; PENSTOCK_SYMBOLS is none"
        return (
            "no market config; a seller's account is there" if self.has_seller(connection) else None
        )
