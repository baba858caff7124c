"""The simulator as a server: its settings, the aiohttp application, and two ways to run it.

`serve` runs until it is cancelled; `running` gives tests and benchmarks the base URL.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from aiohttp import web

from penstock.errors import InvalidInputError
from penstock.simulator.admin import AccountsAdmin, Admin
from penstock.simulator.binance.api import BinanceApi
from penstock.simulator.binance.exchange import SimulatedExchange
from penstock.simulator.binance.generated import generated_series
from penstock.simulator.binance.instruments import catalogue
from penstock.simulator.binance.limits import WeightLimits
from penstock.simulator.binance.replay import read_folder
from penstock.simulator.cardtrader.accounts import Sellers, check_products, parse_accounts
from penstock.simulator.cardtrader.bucket import Buckets
from penstock.simulator.cardtrader.catalogue import catalogue_of
from penstock.simulator.cardtrader.export import Press
from penstock.simulator.cardtrader.marketplace import Marketplace
from penstock.simulator.cardtrader.refusals import PREFIX
from penstock.simulator.faults.active import ActiveFaults
from penstock.simulator.faults.parse import parse_fault
from penstock.simulator.traffic.clock import (
    EARLIEST_MS,
    SimulatedClock,
    check_now,
    check_speed,
)
from penstock.simulator.traffic.journal import Journal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
    from pathlib import Path

    from penstock.simulator.binance.exchange import SymbolSeries
    from penstock.simulator.binance.recorded import RecordedSeries

_MOST_SYMBOLS = 5000
_SHUTDOWN_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatorSettings:
    """What to simulate. InvalidInputError names the wrong field and the fix.

    `seed` determines all generated data. The clock starts at `now_ms` (None: real time) and runs at
    `speed` times real time. With `limits` False nothing is refused, but requests still count.
    `faults` are on from the start, written `name:key=value,key=value`.

    `accounts` are the sellers on CardTrader, written `TOKEN:PRODUCTS`, or `TOKEN` for `products`.
    `expansions` limits the expansions of each game (None: all).

    `replay` is a folder of recorded data (see penstock.simulator.binance.replay). A recorded symbol
    answers from its recording alone; generated ones stay unless `replay_only`. The clock then
    starts just after the newest recorded candle, unless `now_ms` is given.
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


def application(
    settings: SimulatorSettings, tell: Callable[[str], None] = lambda _: None
) -> web.Application:
    """The aiohttp application; `tell` is called for each file that is not replayed.

    It takes some tenths of a second: call it in a thread when a loop is running.
    """
    recorded = read_folder(settings.replay, tell) if settings.replay else {}
    clock = SimulatedClock(settings.now_ms or _just_after(recorded), settings.speed)
    journal = Journal()
    faults = ActiveFaults(settings.seed, clock, map(parse_fault, settings.faults))
    limits = WeightLimits(enforced=settings.limits)
    binance = BinanceApi(SimulatedExchange(_series(settings, recorded)), clock, limits)
    marketplace = _marketplace(settings)
    answered = partial(_answered, journal, faults)
    app = web.Application()
    app.add_routes(Admin(clock, journal, faults).routes())
    app.add_routes(AccountsAdmin(marketplace).routes())
    app.router.add_route("*", f"{PREFIX}/{{path:.*}}", partial(answered, marketplace.answer))
    app.router.add_route("*", "/{path:.*}", partial(answered, binance.answer))
    return app


async def _answered(
    journal: Journal,
    faults: ActiveFaults,
    answer: Callable[[web.Request], Awaitable[web.StreamResponse]],
    request: web.Request,
) -> web.StreamResponse:
    """A provider's answer, logged on arrival and changed by the faults."""
    asked = journal.enter(request.path, request.query_string)
    response = await faults.around(request, asked, partial(answer, request))
    asked.status = response.status
    return response


def _marketplace(settings: SimulatorSettings) -> Marketplace:
    shared = catalogue_of(settings.seed, settings.expansions)
    accounts = Sellers(shared, parse_accounts(settings.accounts, settings.products))
    return Marketplace(shared, accounts, Buckets(enforced=settings.limits), Press())


def _series(
    settings: SimulatorSettings, recorded: Mapping[str, RecordedSeries]
) -> dict[str, SymbolSeries]:
    """Recorded symbols, then generated ones; one recorded without candles replaces none."""
    instruments = {} if settings.replay_only else catalogue(settings.seed, settings.symbols)
    with_candles = {symbol: series for symbol, series in recorded.items() if series.rows}
    return {**recorded, **generated_series(settings.seed, instruments), **with_candles}


def _just_after(recorded: Mapping[str, RecordedSeries]) -> int | None:
    newest_ms = max((series.newest_ms for series in recorded.values()), default=0)
    return max(newest_ms + 1, EARLIEST_MS) if newest_ms else None


@asynccontextmanager
async def running(
    settings: SimulatorSettings,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    tell: Callable[[str], None] = lambda _: None,
) -> AsyncIterator[str]:
    """Run the simulator in this loop; gives its base URL, such as http://127.0.0.1:41234.

    Port 0 takes a free one. `tell` as for `application`. InvalidInputError when the address cannot
    be bound.
    """
    app = await asyncio.to_thread(application, settings, tell)
    runner = web.AppRunner(
        app, access_log=None, handler_cancellation=True, shutdown_timeout=_SHUTDOWN_S
    )
    await runner.setup()
    try:
        await _bind(runner, host, port)
        yield f"http://{host}:{runner.addresses[0][1]}"
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
        reason = f"cannot listen on {host}:{port} ({error.strerror})"
        msg = f"port: {reason}; choose another with --port"
        raise InvalidInputError(msg, field="port") from error
