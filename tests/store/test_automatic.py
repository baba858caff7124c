"""When the market collects without a config, on both databases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from penstock.domains.automatic import COLLECT_ALL, automatic_by_service, automatic_of
from penstock.runs.schedule import Schedule
from penstock.settings import load_settings
from penstock.store.write.schedules import SqlSchedules
from tests.engine.engines import Engine, engine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

_KINDS = ("scheduled_data_collection", "symbol_refresh", "audit")
_NO_CONFIG = "no market config; a seller's account is there"


@pytest.fixture
async def e(database_url: str) -> AsyncIterator[Engine]:
    async with engine(database_url) as opened:
        yield opened


async def _asleep(e: Engine, **given: Any) -> list[str | None]:
    automatic = automatic_of(load_settings(**given))
    return await e.database.read(
        lambda connection: [automatic.asleep(connection, kind) for kind in _KINDS]
    )


async def _add_account(e: Engine) -> None:
    now = "1" if e.database.file else "now()"
    await e.change(
        f"INSERT INTO account (name, token, user_id, created_at) VALUES ('shop', 'x', 7, {now})"
    )


async def _add_config(e: Engine, exchange: str, *, enabled: bool = True) -> None:
    now = "1" if e.database.file else "now()"
    await e.change(
        "INSERT INTO data_collection_configs (symbol, exchange, timeframes, interval_minutes,"
        f" enabled, job_id, created_at, updated_at) VALUES ('{exchange}', '{exchange}', '[]', 5,"
        f" {enabled}, '{exchange}', {now}, {now})"
    )


async def test_without_an_account_everything_is_awake(e: Engine) -> None:
    assert await _asleep(e) == [None] * 3


async def test_an_account_puts_the_market_to_sleep_until_it_has_a_config(e: Engine) -> None:
    await _add_account(e)
    await _add_config(e, "cardtrader")
    assert await _asleep(e) == [_NO_CONFIG] * 3
    await _add_config(e, "binance", enabled=False)
    assert await _asleep(e) == [None] * 3


async def test_symbols_of_the_settings_are_collected_beside_an_account(e: Engine) -> None:
    await _add_account(e)
    assert await _asleep(e, symbols="BTC/USDT") == [None] * 3


async def test_no_symbols_end_the_default_collection_and_without_a_config_all_requests(
    e: Engine,
) -> None:
    unused = "no market config; PENSTOCK_SYMBOLS is none"
    assert await _asleep(e, symbols="none") == ["PENSTOCK_SYMBOLS is none", unused, unused]
    await _add_config(e, "binance")
    assert await _asleep(e, symbols="none") == ["PENSTOCK_SYMBOLS is none", None, None]


async def test_readers_go_by_the_settings_of_the_last_service_and_first_by_their_own(
    e: Engine,
) -> None:
    own = load_settings(symbols="none")

    async def symbols() -> Sequence[str] | None:
        automatic = await e.database.read(lambda connection: automatic_by_service(connection, own))
        return automatic.configured.symbols

    assert await symbols() == ()
    written_before = {"exchange": "binance"}
    for params, expected in (
        (written_before, ()),
        (automatic_of(load_settings()).configured.params, None),
        (automatic_of(load_settings(symbols="BTC/USDT")).configured.params, ["BTC/USDT"]),
    ):
        default = Schedule(name=COLLECT_ALL, kind=_KINDS[0], interval_s=300, params=params)
        await SqlSchedules(e.database, e.dispatch, lambda *_: None).put([default])
        assert await symbols() == expected
