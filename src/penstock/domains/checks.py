"""What an installation uses, and whether that can be used now: the checks of `penstock doctor`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from penstock.access.vault import Vault
from penstock.collection.queries import collected_exchanges
from penstock.domains.automatic import automatic_of
from penstock.domains.inventory import check_account
from penstock.domains.market import check_exchange
from penstock.domains.plugins import MARKETPLACES, provided
from penstock.errors import InvalidInputError
from penstock.http.governor import LocalBudget
from penstock.inventory.queries.accounts import account_ids
from penstock.keys import check_secrets, vault_keys
from penstock.market.configured import DEFAULT_EXCHANGE
from penstock.market.instrument import unlisted
from penstock.market.queries.instruments import instruments
from penstock.market.runs.submission import SYMBOL_REFRESH
from penstock.opening import is_fresh, open_reader
from penstock.store.write.budget import budgets_used
from penstock.store.write.inventory.snapshots import SqlInventoryStore

if TYPE_CHECKING:
    from penstock.settings import Settings
    from penstock.store.session.database import Transaction

# What is checked, and what says its state in words, or raises.
Check = tuple[str, Callable[[], Awaitable[str]]]


@dataclass(frozen=True, slots=True)
class _Used:
    """The exchanges and accounts that are collected, and the pauses that providers asked for."""

    exchanges: Sequence[str]
    account_ids: Sequence[int] = ()
    pauses_s: dict[str, float] = field(default_factory=dict)

    def budget(self, name: str, window_s: int) -> LocalBudget:
        """A budget that keeps the stored pause and counts nothing for others."""
        return LocalBudget(window_s=window_s, paused_s=self.pauses_s.get(name, 0.0))


async def checks_of(settings: Settings, exchange: str | None) -> list[Check]:
    """The checks of what is used besides the database, which answers; `exchange`: only that one."""
    used = await _used(settings)
    # A pause is told and not waited for.
    asking = settings.model_copy(update={"request_longest_pause_s": 0.0})
    exchanges = used.exchanges if exchange is None else [exchange]
    checks: list[Check] = [("secrets", lambda: check_secrets(settings))]
    if settings.symbols and DEFAULT_EXCHANGE in exchanges:
        checks.append(("symbols", lambda: _check_symbols(settings)))
    checks += [(name, _exchange_check(asking, name, used)) for name in exchanges]
    if exchange is None:
        checks += [("cardtrader", _account_check(asking, one, used)) for one in used.account_ids]
    return checks


def _exchange_check(settings: Settings, name: str, used: _Used) -> Callable[[], Awaitable[str]]:
    return lambda: check_exchange(settings, name, used.budget)


def _account_check(
    settings: Settings, account_id: int, used: _Used
) -> Callable[[], Awaitable[str]]:
    async def check() -> str:
        async with open_reader(settings) as database:
            store = SqlInventoryStore(database, Vault(vault_keys(settings)))
            account = await store.account(account_id)
        return await check_account(settings, account, used.budget)

    return check


async def _check_symbols(settings: Settings) -> str:
    """Whether the exchange lists the symbols of the settings, by its last answer."""
    known = []
    if not is_fresh(settings):
        async with open_reader(settings) as database:
            known = await database.read(
                lambda connection: instruments(connection, DEFAULT_EXCHANGE)
            )
    if not known:
        return "not known before the first symbol refresh"
    if problems := unlisted(settings.symbols or (), known):
        raise InvalidInputError(f"PENSTOCK_SYMBOLS: {'; '.join(problems)}", field="symbols")
    return f"{DEFAULT_EXCHANGE} lists all of PENSTOCK_SYMBOLS"


async def _used(settings: Settings) -> _Used:
    if is_fresh(settings):
        return _Used([] if settings.symbols == () else [DEFAULT_EXCHANGE])

    def read(connection: Transaction) -> _Used:
        exchanges = collected_exchanges(connection) - provided(MARKETPLACES).keys()
        if automatic_of(settings).asleep(connection, SYMBOL_REFRESH) is None:
            exchanges.add(DEFAULT_EXCHANGE)
        pauses = {used.provider: used.pause_s for used in budgets_used(connection)}
        return _Used(sorted(exchanges), list(account_ids(connection).values()), pauses)

    async with open_reader(settings) as database:
        return await database.read(read)
