"""The simulator as a server: settings, the aiohttp application, and two ways to run it.

`serve` runs until it is cancelled; `running` is for tests and benchmarks, which learn the base URL from it.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import web

from penstock.errors import InvalidInputError
from penstock.simulator.admin import Admin
from penstock.simulator.cardtrader.accounts import Accounts, check_products, parse_accounts
from penstock.simulator.cardtrader.admin import AccountsAdmin
from penstock.simulator.cardtrader.bucket import Buckets
from penstock.simulator.cardtrader.catalogue import catalogue_of
from penstock.simulator.cardtrader.export import Press
from penstock.simulator.cardtrader.marketplace import Marketplace
from penstock.simulator.cardtrader.refusals import PREFIX
from penstock.simulator.catalogue import catalogue
from penstock.simulator.clock import EARLIEST_MS, Clock, check_now, check_speed
from penstock.simulator.door import Door
from penstock.simulator.exchange import Exchange
from penstock.simulator.faults import Faults, parse_fault
from penstock.simulator.gate import Gate
from penstock.simulator.generated import generated_series
from penstock.simulator.journal import Journal
from penstock.simulator.limits import Limits
from penstock.simulator.replay import read_folder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from pathlib import Path

    from penstock.simulator.exchange import Series
    from penstock.simulator.recorded import RecordedSeries

_MOST_SYMBOLS = 5000
_SHUTDOWN_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatorSettings:
    """What is simulated. Raises InvalidInputError naming the field and the fix.

    `seed` decides all generated data. `now_ms` is where the clock starts (None: real time), `speed` how many of its seconds pass in a real one.
    `limits` False counts request weight without ever refusing. `faults` are on from the start, written `name:key=value,key=value`.

    `accounts` are the sellers on CardTrader, written `TOKEN` or `TOKEN:PRODUCTS`; `products` is how many each has that does not say.
    `expansions` leaves CardTrader's catalogue so many of each game (None: all); what a seller has is chosen from those.

    `replay` is a folder of recorded data (see penstock.simulator.replay). A recorded symbol answers from its recording alone; the generated ones stay
    beside it unless `replay_only`. The clock then starts just after the newest recorded candle, unless `now_ms` says otherwise.
    """

    seed: int = 1
    symbols: int = 400
    now_ms: int | None = None
    speed: float = 1.0
    limits: bool = True
    faults: tuple[str, ...] = ()
    replay: Path | None = None
    replay_only: bool = False
    accounts: tuple[str, ...] = ("demo",)
    products: int = 250_000
    expansions: int | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.symbols <= _MOST_SYMBOLS:
            msg = f"symbols: {self.symbols} is not between 1 and {_MOST_SYMBOLS}"
            raise InvalidInputError(msg, field="symbols")
        check_speed(self.speed)
        if self.now_ms is not None:
            check_now(self.now_ms)
        if self.replay_only and self.replay is None:
            msg = "replay_only: there is nothing to replay; give a folder with replay"
            raise InvalidInputError(msg, field="replay_only")
        if self.expansions is not None and self.expansions < 1:
            msg = f"expansions: {self.expansions} is not 1 or more"
            raise InvalidInputError(msg, field="expansions")
        for fault in self.faults:
            parse_fault(fault)
        parse_accounts(self.accounts, check_products(self.products))


def application(settings: SimulatorSettings, tell: Callable[[str], None] = lambda _: None) -> web.Application:
    """The aiohttp application; loading and generating take some tenths of a second, so call it in a thread when a loop is running.

    `tell` hears what of a folder is not replayed.
    """
    recorded = read_folder(settings.replay, tell) if settings.replay else {}
    clock = Clock(settings.now_ms or _just_after(recorded), settings.speed)
    journal = Journal()
    exchange = Exchange(_series(settings, recorded))
    faults = Faults(settings.seed, clock, map(parse_fault, settings.faults))
    door = Door(journal, faults)
    marketplace = _marketplace(settings)
    app = web.Application()
    app.add_routes([*Admin(clock, journal, faults).routes(), *AccountsAdmin(marketplace).routes()])
    app.router.add_route("*", f"{PREFIX}/{{path:.*}}", door.to(marketplace.answer))
    app.router.add_route("*", "/{path:.*}", door.to(Gate(exchange, clock, Limits(enforced=settings.limits)).answer))
    return app


def _marketplace(settings: SimulatorSettings) -> Marketplace:
    shared = catalogue_of(settings.seed, settings.expansions)
    accounts = Accounts(shared, parse_accounts(settings.accounts, settings.products))
    return Marketplace(shared, accounts, Buckets(enforced=settings.limits), Press())


def _series(settings: SimulatorSettings, recorded: Mapping[str, RecordedSeries]) -> dict[str, Series]:
    """Recorded candles come before generated ones; a symbol of which only the name was recorded does not replace a generated one."""
    generated = {} if settings.replay_only else generated_series(settings.seed, catalogue(settings.seed, settings.symbols))
    return {**recorded, **generated, **{symbol: series for symbol, series in recorded.items() if series.rows}}


def _just_after(recorded: Mapping[str, RecordedSeries]) -> int | None:
    newest_ms = max((series.newest_ms for series in recorded.values()), default=0)
    return max(newest_ms + 1, EARLIEST_MS) if newest_ms else None


@asynccontextmanager
async def running(
    settings: SimulatorSettings, *, host: str = "127.0.0.1", port: int = 0, tell: Callable[[str], None] = lambda _: None
) -> AsyncIterator[str]:
    """Run the simulator in this loop; gives its base URL, such as http://127.0.0.1:41234. Port 0 takes a free one. `tell`: see `application`.

    Raises InvalidInputError when the address cannot be bound.
    """
    app = await asyncio.to_thread(application, settings, tell)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=_SHUTDOWN_S)
    await runner.setup()
    try:
        await _bind(runner, host, port)
        bound = runner.addresses[0][1]
        yield f"http://{host}:{bound}"
    finally:
        await runner.cleanup()


async def serve(settings: SimulatorSettings, *, host: str = "127.0.0.1", port: int = 8100) -> None:
    """Run the simulator until this task is cancelled."""
    async with running(settings, host=host, port=port):
        await asyncio.Event().wait()


async def _bind(runner: web.AppRunner, host: str, port: int) -> None:
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        msg = f"port: cannot listen on {host}:{port} ({error.strerror}); choose another with --port"
        raise InvalidInputError(msg, field="port") from error
