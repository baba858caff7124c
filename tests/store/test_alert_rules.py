"""What alert rules count, and when alerts fire and resolve, on both databases."""

from __future__ import annotations

import pytest

from penstock.alerts.rules import AlertLimits
from penstock.domains.automatic import automatic_of
from penstock.market.runs.health import rules as market_rules
from penstock.settings import load_settings
from penstock.store.write.alerts.health import HealthQueries
from tests.days import within_a_day
from tests.store.alarm import DAY, HOUR, MINUTE, Alarm


async def test_executions_of_a_day_are_counted_without_cancelled_ones(alarm: Alarm) -> None:
    await alarm.executions("success", 3, seconds=1)
    await alarm.executions("failed", 1, seconds=5)
    await alarm.executions("cancelled", 5)
    await alarm.executions("running", 2)
    await alarm.executions("failed", 7, ago_ms=25 * HOUR)
    found = (await alarm.facts()).executions
    assert (found.succeeded, found.failed, found.average_duration_s) == (3, 1, 2.0)


async def test_a_long_or_large_sync_causes_no_alert(
    alarm: Alarm,
) -> None:
    await alarm.executions("success", 8, seconds=1)
    await alarm.executions("success", 20, seconds=170, records=250_000, job_type="inventory_sync")
    await alarm.executions("failed", 1, seconds=170, job_type="catalogue_refresh")
    found = (await alarm.facts()).executions
    assert (found.succeeded, found.failed, found.timed, found.average_duration_s) == (28, 1, 8, 1.0)
    await within_a_day()
    today = await alarm.now() % DAY
    await alarm.executions(
        "success", 1, ago_ms=today + 25 * HOUR, records=250_000, job_type="inventory_sync"
    )
    await alarm.executions("success", 1, ago_ms=today + HOUR, records=500)
    facts = await alarm.facts()
    assert (facts.records_yesterday, facts.records_before) == (500, 0)


async def test_records_are_counted_for_the_last_two_whole_days(alarm: Alarm) -> None:
    await within_a_day()
    today = await alarm.now() % DAY
    await alarm.executions("success", 1, ago_ms=today + HOUR, records=700)
    await alarm.executions("success", 1, ago_ms=today + 25 * HOUR, records=1_000)
    await alarm.executions("success", 1, ago_ms=today + 49 * HOUR, records=50_000)
    await alarm.executions("success", 1, ago_ms=0, records=3)
    found = await alarm.facts()
    assert (found.records_yesterday, found.records_before) == (700, 1_000)


async def _series(
    alarm: Alarm,
    *,
    symbol: str = "BTC/USDT",
    status: str = "trading",
    timeframe: str = "1h",
    closed_ago_ms: int,
) -> None:
    """A series whose first missing candle closed this long ago."""
    native, now = symbol.replace("/", ""), await alarm.now()
    step = {"1h": HOUR, "1m": MINUTE}[timeframe]
    base, quote = symbol.split("/")
    seen = alarm.at(now)
    await alarm.engine.change(
        "INSERT INTO instrument"
        " (exchange, market, native_symbol, base, quote, symbol, status, seen_at) "
        f"VALUES ('binance', 'spot', '{native}', '{base}', '{quote}', '{symbol}', '{status}',"
        f" {seen}) ON CONFLICT DO NOTHING"
    )
    await alarm.engine.change(
        f"INSERT INTO series (instrument_id, timeframe) SELECT id, '{timeframe}'"
        f" FROM instrument WHERE native_symbol = '{native}'"
    )
    end = now - closed_ago_ms - step
    await alarm.engine.change(
        "INSERT INTO coverage (series_id, start_time, end_time, state, run_id) "
        f"SELECT s.id, {alarm.at(end - DAY)}, {alarm.at(end)}, 'stored', 1"
        " FROM series s JOIN instrument i ON i.id = s.instrument_id "
        f"WHERE i.native_symbol = '{native}' AND s.timeframe = '{timeframe}'"
    )


async def _schedule(alarm: Alarm, name: str = "collect_data_all", interval_s: int = 300) -> None:
    due = alarm.at(await alarm.now())
    await alarm.engine.change(
        "INSERT INTO schedule (name, kind, params, interval_s, next_run_at)"
        f" VALUES ('{name}', 'x', '{{}}', {interval_s}, {due})"
    )


async def test_a_series_is_late_when_its_interval_has_passed_without_its_candle(
    alarm: Alarm,
) -> None:
    await _schedule(alarm)
    await _series(alarm, closed_ago_ms=12 * MINUTE + 5_000)
    await _series(alarm, timeframe="1m", closed_ago_ms=5 * MINUTE)
    await alarm.evaluate()
    assert [(alert.subject, alert.message) for alert in await alarm.alerts()] == [
        ("binance BTC/USDT 1h", "BTC/USDT 1h is 12 minutes late")
    ]


async def test_a_series_that_does_not_trade_or_is_not_collected_automatically_is_never_late(
    alarm: Alarm,
) -> None:
    await _series(alarm, closed_ago_ms=DAY)
    assert (await alarm.facts()).bad["late_data"] == []
    await _schedule(alarm)
    await _series(alarm, symbol="ETH/USDT", closed_ago_ms=DAY)
    assert [subject.subject for subject in (await alarm.facts()).bad["late_data"]] == [
        "binance BTC/USDT 1h"
    ]
    await alarm.engine.change("UPDATE instrument SET status = 'halted'")
    assert (await alarm.facts()).bad["late_data"] == []


async def test_a_default_schedule_that_is_asleep_makes_nothing_late(alarm: Alarm) -> None:
    await _schedule(alarm)
    await _series(alarm, closed_ago_ms=DAY)
    await alarm.engine.change("UPDATE instrument SET quote_volume_24h = 1")
    rules = market_rules(automatic_of(load_settings()), "collect_data_all")
    health = HealthQueries(AlertLimits(), [], rules)
    assert len((await alarm.engine.database.read(health.facts)).bad["late_data"]) == 1
    now = alarm.at(await alarm.now())
    await alarm.engine.change(
        f"INSERT INTO account (name, token, user_id, created_at) VALUES ('shop', 'x', 7, {now})"
    )
    assert (await alarm.engine.database.read(health.facts)).bad["late_data"] == []


@pytest.mark.parametrize(
    ("enabled", "expected"), [("true", ["binance ETH/USDT 1h"]), ("false", [])]
)
async def test_a_series_of_a_config_is_late_by_the_interval_of_the_config(
    alarm: Alarm, enabled: str, expected: list[str]
) -> None:
    await _schedule(alarm, "collect_data_1", interval_s=1_800)
    made = alarm.at(await alarm.now())
    await alarm.engine.change(
        "INSERT INTO data_collection_configs"
        " (symbol, exchange, timeframes, interval_minutes, enabled, job_id, created_at,"
        " updated_at) VALUES"
        f" ('ETH/USDT', 'binance', '[\"1h\", \"1m\"]', 30, {enabled}, 'collect_data_1',"
        f" {made}, {made})"
    )
    await _series(alarm, symbol="ETH/USDT", closed_ago_ms=33 * MINUTE)
    await _series(alarm, symbol="ETH/USDT", timeframe="1m", closed_ago_ms=29 * MINUTE)
    assert [subject.subject for subject in (await alarm.facts()).bad["late_data"]] == expected


async def test_stuck_runs_and_paused_providers_fire_and_are_resolved(alarm: Alarm) -> None:
    task = await alarm.engine.submit()
    old, soon = alarm.at(await alarm.now() - HOUR), alarm.at(await alarm.now() + HOUR)
    await alarm.engine.change(f"UPDATE run SET state = 'running', progress_at = {old}")
    await alarm.engine.change(
        "INSERT INTO provider_budget (provider, window_start, used, paused_until)"
        f" VALUES ('binance', {old}, 1, {soon})"
    )
    await alarm.evaluate()
    assert await alarm.states() == {
        f"run_stuck {task}": "firing",
        "provider_paused binance": "firing",
    }
    await alarm.engine.change("UPDATE run SET state = 'failed'")
    await alarm.engine.change(f"UPDATE provider_budget SET paused_until = {old}")
    await alarm.evaluate()
    assert set((await alarm.states()).values()) == {"resolved"}


async def test_an_alert_fires_until_every_exported_row_of_an_account_has_an_id(
    alarm: Alarm,
) -> None:
    now = alarm.at(await alarm.now())
    account = (
        "INSERT INTO account (id, name, token, user_id, created_at)"
        f" VALUES (1, 'shop', 'x', 7, {now})"
    )
    await alarm.engine.change(account)

    async def publish(*, unidentified: int, unmarked: int, state: str = "published") -> None:
        columns = (
            "account_id, run_id, state, suspicions, currencies, products, new, changed,"
            " unchanged, gone, returned, rejected, unmapped, taken_at"
        )
        values = (
            f"1, 1, '{state}', '{{}}', '{{}}', 40, 0, 0, 29, 0, 0, {unidentified}, 0, {now},"
            f" {unidentified}, {unmarked}"
        )
        await alarm.engine.change(
            f"INSERT INTO snapshot ({columns}, unidentified, unmarked) VALUES ({values})"
        )

    await alarm.evaluate()
    assert await alarm.states() == {}
    await publish(unidentified=1, unmarked=11)
    await publish(unidentified=0, unmarked=0, state="dry_run")
    await alarm.evaluate()
    [fired] = await alarm.alerts()
    assert (fired.rule, fired.subject, fired.state) == ("marking_stopped", "shop", "firing")
    because = "1 row of the newest export cannot be read and has no id"
    assert (
        fired.message == f"shop: no product is marked as gone, because {because};"
        " 11 missing products may be sold and are still shown"
    )
    await publish(unidentified=0, unmarked=0)
    await alarm.evaluate()
    [resolved] = await alarm.alerts()
    assert (resolved.state, resolved.message) == (
        "resolved",
        "shop: missing products are marked as gone again",
    )
