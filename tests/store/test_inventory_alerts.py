"""Alerts on inventories, on both databases: a held sync, and one that is late."""

from __future__ import annotations

import pytest

from tests.store.alarm import DAY, HOUR, MINUTE, Alarm

_NAME = "My shop"
_HELD = "the export holds no products; 40 are published"


class Shop:
    """An account with a schedule, in a database with an alert book."""

    def __init__(self, alarm: Alarm) -> None:
        self.alarm = alarm

    async def open(self, **config: str) -> None:
        """Add the account, and a config of it that was made two days ago."""
        now = await self.alarm.now()
        at, made = self.alarm.at(now), self.alarm.at(now - 2 * DAY)
        await self.alarm.engine.change(
            "INSERT INTO account (id, name, token, user_id, created_at)"
            f" VALUES (1, '{_NAME}', 'x', 7, {made})"
        )
        if not config:
            return
        columns = "symbol, exchange, timeframes, enabled, job_id, created_at, updated_at"
        await self.alarm.engine.change(
            f"INSERT INTO data_collection_configs ({columns}, {', '.join(config)})"
            f" VALUES ('{_NAME}', 'cardtrader', '[]', true, 'collect_data_1', {made}, {made},"
            f" {', '.join(config.values())})"
        )
        interval = f"60 * {config['interval_minutes']}" if "interval_minutes" in config else "NULL"
        cron = ", ".join(config.get(name, "NULL") for name in ("cron", "timezone"))
        await self.alarm.engine.change(
            "INSERT INTO schedule (name, kind, params, next_run_at, interval_s, cron, timezone)"
            f" VALUES ('collect_data_1', 'inventory_sync', '{{}}', {at}, {interval}, {cron})"
        )

    async def ended(
        self, state: str, *, ago_ms: int = 0, suspicions: str = "{}", unidentified: int = 0
    ) -> None:
        """A sync that ended so long ago."""
        at = self.alarm.at(await self.alarm.now() - ago_ms)
        published = at if state == "published" else "NULL"
        await self.alarm.engine.change(
            "INSERT INTO snapshot (account_id, run_id, state, suspicions, currencies, products,"
            " new, changed, unchanged, gone, returned, rejected, unmapped, taken_at, published_at,"
            f" unidentified) VALUES (1, 1, '{state}', '{suspicions}', '{{}}', 40, 0, 0, 40, 0, 0,"
            f" 0, 0, {at}, {published}, {unidentified})"
        )

    async def shown(self) -> list[tuple[str, str, str, str]]:
        """The alerts after two looks, since a finding that repeats must not fire twice."""
        await self.alarm.evaluate(2)
        return [
            (alert.rule, alert.subject, alert.state.value, alert.message)
            for alert in await self.alarm.alerts()
        ]


@pytest.fixture
def shop(alarm: Alarm) -> Shop:
    return Shop(alarm)


async def test_a_held_sync_fires_once_with_its_reason_and_commands_and_is_resolved(
    shop: Shop,
) -> None:
    await shop.alarm.add_target("https://example.org/hook")
    await shop.open()
    await shop.ended("published", ago_ms=HOUR)
    await shop.ended("dry_run", suspicions=f'{{"empty": "{_HELD}"}}')
    assert await shop.shown() == []
    await shop.ended("held", suspicions=f'{{"empty": "{_HELD}"}}')
    [(rule, subject, state, message)] = await shop.shown()
    assert (rule, subject, state) == ("sync_held", _NAME, "firing")
    assert message.startswith(f"{_NAME}: a sync is held since 2")
    assert message.endswith(
        f" and nothing is published: {_HELD}; see penstock diff 'My shop',"
        " then run penstock approve 'My shop' or penstock reject 'My shop'"
    )
    assert len(await shop.alarm.messages()) == 1
    for decided in ("published", "rejected", "superseded"):
        await shop.alarm.engine.change("UPDATE snapshot SET state = 'held' WHERE state <> 'x'")
        await shop.shown()
        await shop.alarm.engine.change(f"UPDATE snapshot SET state = '{decided}'")
        assert [found[2:] for found in await shop.shown()] == [
            ("resolved", f"{_NAME}: no sync is held any more")
        ]


async def test_an_inventory_is_late_after_two_intervals_without_a_published_sync(
    shop: Shop,
) -> None:
    await shop.open(interval_minutes="60")
    await shop.ended("published", ago_ms=2 * HOUR)
    await shop.ended("rejected")
    assert await shop.shown() == []
    await shop.alarm.engine.move("snapshot", "published_at", -65)
    assert await shop.shown() == [
        (
            "late_inventory",
            _NAME,
            "firing",
            (
                f"{_NAME}: nothing was published for 2 hours, and two scheduled syncs were due;"
                " see penstock accounts, or run penstock sync 'My shop'"
            ),
        )
    ]
    await shop.ended("published", ago_ms=MINUTE)
    assert [found[2:] for found in await shop.shown()] == [
        ("resolved", f"{_NAME}: the inventory is up to date again")
    ]


@pytest.mark.parametrize(
    ("change", "late"),
    [
        ("UPDATE account SET name = 'My shop'", True),
        ("UPDATE data_collection_configs SET enabled = false", False),
        ("UPDATE data_collection_configs SET exchange = 'binance'", False),
        ("DELETE FROM data_collection_configs", False),
    ],
    ids=["never published", "disabled", "of an exchange", "without a config"],
)
async def test_only_an_account_with_an_enabled_config_can_be_late(
    shop: Shop, change: str, late: bool
) -> None:
    await shop.open(interval_minutes="60")
    await shop.alarm.engine.change(change)
    assert [found[0] for found in await shop.shown()] == ["late_inventory"] * late


async def test_a_config_that_was_just_changed_has_its_first_turn_ahead(shop: Shop) -> None:
    await shop.open(interval_minutes="60")
    await shop.ended("published", ago_ms=2 * DAY)
    now = shop.alarm.at(await shop.alarm.now())
    await shop.alarm.engine.change(f"UPDATE data_collection_configs SET updated_at = {now}")
    assert await shop.shown() == []


async def test_a_cron_expression_is_late_after_two_of_its_times(shop: Shop) -> None:
    minute = await shop.alarm.now() // MINUTE % 60
    # Once an hour, two minutes ago: its times lie 2, 62 and 122 minutes back.
    await shop.open(cron=f"'{(minute - 2) % 60} * * * *'", timezone="'UTC'")
    await shop.ended("published", ago_ms=61 * MINUTE)
    assert await shop.shown() == []
    await shop.alarm.engine.move("snapshot", "published_at", -3 * 60)
    assert [found[0] for found in await shop.shown()] == ["late_inventory"]


async def test_a_healthy_inventory_causes_no_alert(shop: Shop) -> None:
    await shop.open(interval_minutes="60")
    await shop.ended("superseded", ago_ms=3 * HOUR)
    await shop.ended("published", ago_ms=HOUR)
    await shop.ended("dry_run")
    assert await shop.shown() == []
