"""The facts, the states and the messages of alerts, on both databases."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from penstock.access.vault import Vault, new_key
from penstock.alerts.book import Address, Policy, TargetKind
from penstock.alerts.loop import Alerting, AlertingTimes
from penstock.alerts.notify.sender import Sender
from penstock.alerts.rules import AlertLimits
from penstock.errors import ConflictError
from penstock.inventory.sync.health import RULES
from penstock.market.configured import Configured
from penstock.market.runs.health import rules
from penstock.store.keys import GivenKeys
from penstock.store.write.alerts.book import BookOptions, SqlAlertBook
from penstock.store.write.alerts.health import HealthQueries, read_now
from penstock.store.write.alerts.lists import AlertList, firing_counts, list_alerts
from penstock.store.write.alerts.targets import SqlTargets
from tests.days import within_a_day
from tests.engine.engines import Engine, background, engine
from tests.receiver import Receiver, receiving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from penstock.alerts.book import Alert
    from penstock.alerts.rules import HealthFacts

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
CONFIGURED = Configured(symbols=("BTC/USDT",), timeframes=("1m", "1h"))
HEALTH = HealthQueries(
    AlertLimits(executions=4),
    ["data_collection", "symbol_refresh"],
    [*rules(CONFIGURED, "collect_data_all"), *RULES],
)
POLICY = Policy(cooldown_ms=HOUR, settle_ms=0, recovered=HEALTH.rules.recovered)
VAULT = Vault(GivenKeys(new_key()))


@dataclass
class Alarm:
    """A database with its alert book."""

    engine: Engine
    policy: Policy = POLICY
    options: BookOptions = field(
        default_factory=lambda: BookOptions(interval_s=0.001, backoff_s=0.01)
    )

    def __post_init__(self) -> None:
        self.health = HEALTH
        self.targets = SqlTargets(self.engine.database, VAULT)
        self.book = self.new_book()

    def new_book(self, **given: Any) -> SqlAlertBook:
        options = BookOptions(**given) if given else self.options
        return SqlAlertBook(self.engine.database, VAULT, self.health, self.policy, options)

    async def facts(self) -> HealthFacts:
        return await self.engine.database.read(self.health.facts)

    async def now(self) -> int:
        return await self.engine.database.read(read_now)

    def at(self, at_ms: int) -> str:
        """A time in SQL of either database."""
        return str(at_ms) if self.engine.database.file else f"to_timestamp({at_ms} / 1000.0)"

    async def executions(
        self,
        status: str,
        count: int,
        *,
        ago_ms: int = MINUTE,
        seconds: float = 1.0,
        records: int = 6,
        job_type: str = "data_collection",
    ) -> None:
        started = self.at(await self.now() - ago_ms)
        row = f"(1, 'collect_data_1', '{job_type}', {started}, {seconds}, '{status}', {records})"
        columns = (
            "(run_id, job_name, job_type, started_at, duration_seconds, status, records_collected)"
        )
        if count:
            await self.engine.change(
                f"INSERT INTO job_execution_logs {columns} VALUES {', '.join([row] * count)}"
            )

    async def add_target(self, url: str, name: str = "mine") -> int:
        address = Address(
            kind=TargetKind.WEBHOOK, url=url, shown="x", signing_key="a key of some length"
        )
        return (await self.targets.add(name, address)).id

    async def evaluate(self, times: int = 1) -> None:
        for _ in range(times):
            await self.engine.change(f"UPDATE alert_look SET looked_at = {self.at(0)}")
            await self.book.evaluate()

    async def alerts(self) -> list[Alert]:
        return await self.engine.database.read(
            lambda connection: list_alerts(connection, AlertList(limit=100))
        )

    async def states(self) -> dict[str, str]:
        return {f"{one.rule} {one.subject}": one.state.value for one in await self.alerts()}

    async def messages(self) -> list[dict[str, Any]]:
        return await self.engine.rows("SELECT * FROM alert_message ORDER BY id")

    @contextlib.asynccontextmanager
    async def sending(self) -> AsyncIterator[None]:
        """Messages are sent while the block runs; looks are only those that the test makes."""
        sender = Sender(deadline_s=30, allow_private=True)
        async with background(
            Alerting(self.book, sender, AlertingTimes(first_after_s=3600, poll_s=0.02)).run()
        ):
            yield


@pytest.fixture
async def alarm(database_url: str) -> AsyncIterator[Alarm]:
    async with engine(database_url) as one:
        yield Alarm(one)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


async def test_executions_of_a_day_are_counted_and_cancelled_ones_left_out(alarm: Alarm) -> None:
    await alarm.executions("success", 3, seconds=1)
    await alarm.executions("failed", 1, seconds=5)
    await alarm.executions("cancelled", 5)
    await alarm.executions("running", 2)
    await alarm.executions("failed", 7, ago_ms=25 * HOUR)
    found = (await alarm.facts()).executions
    assert (found.succeeded, found.failed, found.average_duration_s) == (3, 1, 2.0)


async def test_a_sync_that_takes_minutes_or_writes_a_whole_inventory_is_no_alert(
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


async def test_records_are_those_of_the_two_last_whole_days(alarm: Alarm) -> None:
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
    """A series whose next candle, the first one that is missing, closed so long ago."""
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


async def test_a_series_is_late_when_its_interval_is_over_and_its_candle_is_not_there(
    alarm: Alarm,
) -> None:
    await _schedule(alarm)
    await _series(alarm, closed_ago_ms=12 * MINUTE + 5_000)
    await _series(alarm, timeframe="1m", closed_ago_ms=5 * MINUTE)
    await alarm.evaluate()
    assert [(one.subject, one.message) for one in await alarm.alerts()] == [
        ("binance BTC/USDT 1h", "BTC/USDT 1h is 12 minutes late")
    ]


async def test_what_does_not_trade_or_is_not_collected_by_itself_is_never_late(
    alarm: Alarm,
) -> None:
    await _series(alarm, closed_ago_ms=DAY)
    assert (await alarm.facts()).bad["late_data"] == []
    await _schedule(alarm)
    await _series(alarm, symbol="ETH/USDT", closed_ago_ms=DAY)
    assert [one.subject for one in (await alarm.facts()).bad["late_data"]] == [
        "binance BTC/USDT 1h"
    ]
    await alarm.engine.change("UPDATE instrument SET status = 'halted'")
    assert (await alarm.facts()).bad["late_data"] == []


@pytest.mark.parametrize(
    ("enabled", "expected"), [("true", ["binance ETH/USDT 1h"]), ("false", [])]
)
async def test_a_config_makes_its_series_late_by_its_own_interval(
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
    assert [one.subject for one in (await alarm.facts()).bad["late_data"]] == expected


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


async def test_an_account_with_nothing_marked_as_gone_fires_until_each_exported_row_has_its_id(
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
    await publish(unidentified=0, unmarked=0, state="held")
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


async def test_an_alert_is_received_once_within_the_cool_down_and_once_when_it_is_over(
    alarm: Alarm, receiver: Receiver
) -> None:
    await alarm.add_target(receiver.url + "/hook")
    async with alarm.sending():
        await alarm.executions("failed", 2)
        await alarm.executions("success", 3)
        await alarm.evaluate(times=3)
        (fired,) = await receiver.until(1)
        assert fired.messages == [
            "firing: 60.0 % succeeded of 5 executions in 24 hours (threshold 90)",
            "firing: 40.0 % failed of 5 executions in 24 hours (threshold 10)",
        ]
        assert fired.headers["Penstock-Signature"]
        await alarm.executions("success", 95)
        await alarm.evaluate(times=2)
        _, over = await receiver.until(2)
        assert [message.partition(":")[0] for message in over.messages] == ["resolved", "resolved"]
    assert len(await alarm.messages()) == len(receiver.received) == 2


async def test_after_an_error_it_is_sent_again_as_the_same_message(
    alarm: Alarm, receiver: Receiver
) -> None:
    await alarm.add_target(receiver.url)
    receiver.answers += [500, 503]
    await alarm.executions("failed", 5)
    await alarm.evaluate()
    async with alarm.sending():
        received = await receiver.until(3)
    assert (
        len({one.body["id"] for one in received})
        == len({one.headers["Penstock-Message-Id"] for one in received})
        == 1
    )


async def test_a_target_that_never_answers_well_is_given_up(
    alarm: Alarm, receiver: Receiver
) -> None:
    await alarm.add_target(receiver.url)
    receiver.answers += [500] * 100
    await alarm.executions("failed", 5)
    await alarm.evaluate()
    async with alarm.sending():
        await receiver.until(8)
        await alarm.engine.until(lambda: _is_error(alarm, "it answered 500"))
    assert await alarm.book.take() == []
    assert len(receiver.received) == 8


async def _is_error(alarm: Alarm, error: str) -> bool:
    [row] = await alarm.messages()
    return bool(row["attempt"] == 8 and row["error"] == error)


async def test_a_target_that_hangs_does_not_hold_up_the_others_and_gets_its_messages_in_order(
    alarm: Alarm, receiver: Receiver
) -> None:
    await alarm.add_target(receiver.url + "/hang", "slow")
    await alarm.add_target(receiver.url + "/good", "good")
    async with alarm.sending():
        await alarm.executions("failed", 5)
        await alarm.evaluate()
        await receiver.until(1, "/hang")
        await alarm.executions("success", 500)
        await alarm.evaluate(times=2)
        await receiver.until(2, "/good")
        assert len(await receiver.until(1, "/hang")) == 1


async def test_a_message_whose_sender_was_killed_is_sent_by_the_next_one(
    alarm: Alarm, receiver: Receiver
) -> None:
    await alarm.add_target(receiver.url)
    await alarm.executions("failed", 5)
    await alarm.evaluate()
    killed = alarm.new_book(claim_s=3600)
    assert len(await killed.take()) == 1
    assert await killed.take() == []
    await alarm.engine.move("alert_message", "next_try_at", -3600)
    async with alarm.sending():
        assert len(await receiver.until(1)) == 1


async def test_of_many_who_look_at_once_one_writes_a_message_and_of_many_who_take_it_one_gets_it(
    alarm: Alarm,
) -> None:
    await alarm.add_target("https://example.org")
    await alarm.executions("failed", 5)
    # Without a cool-down every look would write a message.
    alarm.policy = replace(POLICY, cooldown_ms=0)
    books = [alarm.new_book(interval_s=3600.0) for _ in range(8)]
    await asyncio.gather(*(book.evaluate() for book in books))
    assert len(await alarm.messages()) == 1
    taken = await asyncio.gather(*(book.take() for book in books))
    assert sum(map(len, taken)) == 1


async def test_a_clock_that_is_set_back_does_not_silence_the_alerts(alarm: Alarm) -> None:
    await alarm.evaluate()
    await alarm.engine.move("alert_look", "looked_at", 86_400)
    await alarm.executions("failed", 5)
    await alarm.book.evaluate()
    counts = await alarm.engine.database.read(
        lambda connection: firing_counts(connection, HEALTH.rules.names)
    )
    assert counts["failed_rate"] == 1


async def test_secrets_are_sealed_and_a_target_takes_its_messages_with_it(alarm: Alarm) -> None:
    target_id = await alarm.add_target("https://example.org/token")
    [row] = await alarm.engine.rows("SELECT url, signing_key FROM alert_target")
    assert (VAULT.open(row["url"]), VAULT.open(row["signing_key"])) == (
        "https://example.org/token",
        "a key of some length",
    )
    assert (await alarm.targets.secrets_of(target_id)).url == "https://example.org/token"
    await alarm.executions("failed", 5)
    await alarm.evaluate()
    await alarm.targets.remove(target_id)
    assert await alarm.messages() == []


async def test_of_many_targets_that_get_the_same_name_at_once_one_has_it(alarm: Alarm) -> None:
    ids = [
        await alarm.add_target(f"https://example.org/{number}", name=f"target {number}")
        for number in range(4)
    ]
    for name in ("one", "two", "three"):
        answers = await asyncio.gather(
            *(alarm.targets.change(one, name=name) for one in ids), return_exceptions=True
        )
        assert sum(isinstance(answer, ConflictError) for answer in answers) == len(ids) - 1, answers


async def test_what_is_old_is_forgotten(alarm: Alarm) -> None:
    await alarm.add_target("https://example.org")
    await alarm.executions("failed", 5)
    await alarm.evaluate()
    await alarm.executions("success", 500)
    await alarm.evaluate(times=2)
    await alarm.engine.move("alert", "since", -8 * 86_400)
    await alarm.engine.move("alert_message", "created_at", -8 * 86_400)
    await alarm.evaluate()
    assert (await alarm.alerts(), await alarm.messages()) == ([], [])
