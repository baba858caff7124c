"""A third domain, exchange rates of a central bank, declared in this file by an entry point.

It gets schedule, overlap, fence, progress, execution log, statistics, alerts, API tasks, commands.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec
import pytest
from aiohttp import web
from sqlalchemy import Column, MetaData, Table, Text, func, select

from penstock.alerts.rules import BadSubject, SubjectRule
from penstock.app import open_app
from penstock.collection.domain import Domain, RunKind
from penstock.columns import Exact, Timestamp, in_ms
from penstock.domains import plugins
from penstock.errors import FencedError, InvalidInputError
from penstock.http.client import HttpClient, HttpHabits
from penstock.http.governor import Governor
from penstock.runs.context import RunContext, Shown
from penstock.runs.run import LogEntry, Priority, RunEnd, RunState, Submission
from penstock.runs.schedule import Schedule
from penstock.settings import load_settings
from tests.acceptance.plugged import commands, get, installed, until_ended
from tests.served import served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
    from pathlib import Path

    from sqlalchemy import Connection

    from penstock.app import App
    from penstock.collection.domain import Busy
    from penstock.domains.parts import Parts
    from penstock.runs.run import Run
    from penstock.runs.runner import Outcome

# ── The domain: everything that its package would contain

BANK = "ecb"
RATES = "exchange_rates"
_CURRENCIES = ("GBP", "JPY", "USD")
_DAY_MS = 86_400_000
RATE = Table(
    "exchange_rate",
    MetaData(),
    Column("day", Timestamp, primary_key=True),
    Column("currency", Text, primary_key=True),
    Column("rate", Exact, nullable=False),
)


class Quotes(msgspec.Struct):
    """The bank's answer: the day in ms, and the value of a euro in each currency."""

    day: int
    rates: dict[str, str]


@dataclass(frozen=True)
class Collected:
    """The outcome of a run."""

    days: int

    def summary(self) -> Mapping[str, object]:
        return {"days": self.days}


class Rates:
    """The collection of rates, and the rules for its configs."""

    kind = RATES
    exchanges = (BANK,)

    def __init__(self, parts: Parts) -> None:
        url = parts.settings.of_provider(BANK).url or "https://bank.example"
        self._http = HttpClient(
            url, Governor(600, parts.budgets.of(BANK)), parts.http, HttpHabits()
        )

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        async with self._http:
            yield

    async def work(self, context: RunContext) -> Outcome:
        currencies: Any = context.run.params["currencies"]
        decoder = msgspec.json.Decoder(list[Quotes])
        days = await self._http.get(
            "/rates", {"of": ",".join(currencies)}, weight=1, decode=decoder.decode
        )
        for done, quotes in enumerate(days, start=1):
            rows = [
                {"day": quotes.day, "currency": name, "rate": quotes.rates[name]}
                for name in currencies
            ]
            shown = Shown(100 * done // len(days), f"Collected {done} of {len(days)} days")
            await context.write(
                lambda writing, rows=rows, shown=shown: (  # type: ignore[misc]
                    writing.merge(RATE, rows),
                    writing.show(shown),
                )
            )
        return Collected(len(days))

    def log(self, run: Run) -> Sequence[LogEntry]:
        currencies: Any = run.params["currencies"]
        return [LogEntry(job_type=RATES, symbol=name, exchange=BANK) for name in currencies]

    def plan(self, connection: Connection, schedule: Schedule, busy: Busy) -> Submission | None:
        submission = self.of_config(connection, schedule.params)
        return None if busy(submission.resources) else submission

    async def config_symbols(self, _exchange: str, names: Sequence[str]) -> Mapping[str, str]:
        return {name: _currency(name) for name in names}

    def config_timeframes(self, given: Sequence[str] | None) -> tuple[str, ...]:
        if given:
            message = "timeframes: a bank fixes its rates once a day; leave them out"
            raise InvalidInputError(message, field="timeframes")
        return ()

    def of_config(self, _connection: Connection, params: Mapping[str, object]) -> Submission:
        currencies = [_currency(str(params["symbol"]))] if "symbol" in params else list(_CURRENCIES)
        params, resources = {"currencies": currencies}, [f"rate:{name}" for name in currencies]
        return Submission(kind=RATES, params=params, resources=resources, priority=Priority.LOW)

    def hold(self, _connection: Connection, _symbol: str) -> None:
        """Nothing to hold: currencies do not change."""


def _currency(name: str) -> str:
    if name.upper() not in _CURRENCIES:
        message = f"symbol: unknown currency {name!r}; use one of {', '.join(_CURRENCIES)}"
        raise InvalidInputError(message, field="symbol")
    return name.upper()


def _stale(connection: Connection, now: int) -> Sequence[BadSubject]:
    newest = select(RATE.c.currency, in_ms(func.max(RATE.c.day))).group_by(RATE.c.currency)
    return [
        BadSubject(name, f"{name} is stale")
        for name, day in connection.execute(newest)
        if now - day > 4 * _DAY_MS
    ]


def declare(parts: Parts) -> Domain:
    """The entry point."""
    rates = Rates(parts)
    return Domain(
        name="rates",
        kinds=[RunKind(name=RATES, work=rates.work, log=rates.log, plan=rates.plan)],
        configs=rates,
        tables=[RATE],
        schedules=[Schedule(name="daily_rates", kind=RATES, interval_s=86_400, params={})],
        rules=[
            SubjectRule(
                name="stale_rates",
                counted="stale currencies",
                recovered="{subject} is fresh again",
                find=_stale,
            )
        ],
        logged_names=lambda _connection, name: name.upper(),
        lifetime=rates.open(),
    )


# ── What Penstock provides for it

_DOMAINS = "penstock.domains"
_UNUSABLE = "'rates' of the package rates cannot be used: "
_NOT_FOUND = "cannot be imported: "
_CONFIGS = "/api/v1/admin/data-collection/configs"
_OLD_DAY = 1_700_006_400_000
_PATIENCE_S = 60


@dataclass
class Bank:
    """The bank's server with two days of rates; while it is `shut`, requests wait."""

    url: str = ""
    opened: asyncio.Event = field(default_factory=asyncio.Event)
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.set()
        await self.opened.wait()
        days = [_OLD_DAY, _OLD_DAY + _DAY_MS]
        return web.json_response(
            [
                {"day": day, "rates": dict.fromkeys(request.query["of"].split(","), "1.08")}
                for day in days
            ]
        )


@contextlib.asynccontextmanager
async def bank_open(*, shut: bool = False) -> AsyncIterator[Bank]:
    bank, app = Bank(), web.Application()
    app.router.add_get("/rates", bank.answer)
    if not shut:
        bank.opened.set()
    async with served(app) as bank.url:
        try:
            yield bank
        finally:
            bank.opened.set()


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """The folder into which the package is installed."""
    return installed(tmp_path, _DOMAINS, "rates", f"{__name__}:declare")


def settings_with(bank: Bank, database_url: str, **more: str) -> dict[str, str]:
    own = {
        "database_url": database_url,
        "ecb_url": bank.url,
        "symbols": "BTC/USDT",
        "binance_url": bank.url,
        "scheduler_delay_s": "0",
    }
    return own | more


async def logged(session: aiohttp.ClientSession, count: int) -> list[dict[str, Any]]:
    """The rows of the execution log, once this many have succeeded."""
    path = f"/api/v1/admin/data-collection/execution-logs?job_type={RATES}&status=success"
    async with asyncio.timeout(_PATIENCE_S):
        while len(rows := (await get(session, path))) < count:
            await asyncio.sleep(0.05)
    return list(rows)


async def test_it_runs_on_schedule_and_appears_in_tasks_logs_statistics_alerts_and_commands(
    database_url: str, package: Path, tmp_path: Path
) -> None:
    async with bank_open() as bank:
        penstock = commands(package, tmp_path, **settings_with(bank, database_url))
        async with penstock.serving() as session:
            rows = await logged(session, len(_CURRENCIES))
            assert {(row["job_name"], row["symbol"], row["exchange"]) for row in rows} == {
                ("daily_rates", name, BANK) for name in _CURRENCIES
            }
            meant = await get(session, "/api/v1/admin/data-collection/execution-logs?symbol=usd")
            assert {row["symbol"] for row in meant} == {"USD"}, "as the domain spells it"
            [task] = [task for task in await _tasks(session) if task["task_type"] == RATES]
            ended = await until_ended(session, task["task_id"])
            shown = (ended["progress"], ended["message"], ended["result"])
            assert shown == (100, "Collected 2 of 2 days", {"days": 2})
            assert (ended["counters"]["inserted"], ended["counters"]["requests"]) == (6, 1)
            statistics = await get(session, f"/api/v1/admin/data-collection/stats?job_type={RATES}")
            assert statistics["successful_executions"] == len(_CURRENCIES)
            health = await get(session, "/api/v1/admin/data-collection/health")
            [rule] = [rule for rule in health["rules"] if rule["rule"] == "stale_rates"]
            assert rule["value"] == 3
            listed = json.loads((await penstock("schedules", "--json"))[1])
            assert "daily_rates" in {schedule["name"] for schedule in listed}


async def _tasks(session: aiohttp.ClientSession) -> list[dict[str, Any]]:
    found = await get(session, "/api/v1/data-collector/tasks")
    return list(found["tasks"] if isinstance(found, dict) else found)


async def test_its_configs_are_created_triggered_and_kept_from_overlapping_like_any_other(
    database_url: str, package: Path, tmp_path: Path
) -> None:
    async with bank_open(shut=True) as bank:
        penstock = commands(
            package, tmp_path, **settings_with(bank, database_url, scheduler_delay_s="3600")
        )
        async with penstock.serving() as session:
            added = {"symbol": "usd", "exchange": BANK, "interval_minutes": 60}
            async with session.post(_CONFIGS, json=added) as answer:
                config = await answer.json()
            assert (answer.status, config["symbol"], config["timeframes"]) == (201, "USD", [])
            path = f"{_CONFIGS}/{config['id']}"
            async with session.post(f"{path}/trigger") as answer:
                task_id = (await answer.json())["task_id"]
            await bank.asked.wait()
            async with session.post(f"{path}/trigger") as answer:
                assert (answer.status, (await answer.json())["code"]) == (409, "conflict")
            code, said = await penstock("tasks", "--url", str(session._base_url))
            assert (code, RATES in said) == (0, True), said
            async with session.post(f"/api/v1/data-collector/task/{task_id}/cancel") as answer:
                assert answer.ok
            assert (await until_ended(session, task_id))["status"] == "cancelled"
            for wrong, field_name in (
                ({"symbol": "EURX"}, "symbol"),
                ({"timeframes": ["1m"]}, "timeframes"),
                ({"exchange": "fed"}, "exchange"),
            ):
                async with session.post(_CONFIGS, json=added | wrong) as answer:
                    assert (answer.status, (await answer.json())["field"]) == (422, field_name)


async def test_the_command_line_adds_and_triggers_its_config_without_a_service(
    sqlite_database: str, package: Path, tmp_path: Path
) -> None:
    async with bank_open() as bank:
        penstock = commands(package, tmp_path, **settings_with(bank, sqlite_database))
        code, said = await penstock("config", "add", "usd", "--exchange", "fed", "--every", "60")
        assert (code, said) == (
            2,
            "penstock: --exchange: unknown exchange 'fed'; use one of binance, cardtrader, ecb\n",
        )
        code, said = await penstock("config", "add", "usd", "--exchange", BANK, "--every", "60")
        assert (code, said.startswith("config 1: USD on ecb, every 60 min")) == (0, True), said
        assert await penstock("config", "trigger", "1") == (0, "Collected 2 of 2 days\n")


@pytest.fixture
def here(package: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Install the package for this process too."""
    monkeypatch.syspath_prepend(package)
    plugins.provided.cache_clear()
    yield
    plugins.provided.cache_clear()


@pytest.mark.usefixtures("here")
async def test_a_fenced_off_worker_of_the_domain_changes_no_table(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bank_open() as bank:
        monkeypatch.setenv("PENSTOCK_ECB_URL", bank.url)
        async with open_app(
            load_settings(database_url=database_url, binance_url=bank.url, export_folder=tmp_path)
        ) as app:
            await check_fence(app)


async def check_fence(app: App) -> None:
    submission = Submission(kind=RATES, params={"currencies": ["USD"]}, resources=["rate:USD"])
    run = await app.ledger.start(submission)
    await app.database.write(
        lambda connection: connection.exec_driver_sql("UPDATE run SET fence = fence + 1")
    )
    with pytest.raises(FencedError):
        await app.domains.kinds[RATES].work(RunContext(run, app.ledger))
    count = select(func.count()).select_from(RATE)
    assert await app.database.read(lambda connection: connection.scalar(count)) == 0
    await app.database.write(
        lambda connection: connection.exec_driver_sql("UPDATE run SET fence = fence - 1")
    )
    await app.domains.kinds[RATES].work(RunContext(run, app.ledger))
    await app.ledger.finish(run, RunEnd(state=RunState.SUCCEEDED))
    assert await app.database.read(lambda connection: connection.scalar(count)) == 2


def not_a_domain(_parts: Parts) -> object:
    return {"name": "rates"}


def broken(_parts: Parts) -> Domain:
    message = "no such key"
    raise KeyError(message)


def second_market(_parts: Parts) -> Domain:
    kind = RunKind(name="symbol_refresh", work=Rates.work)  # type: ignore[arg-type]
    return Domain(name="more", kinds=[kind])


@pytest.mark.parametrize(
    ("group", "value", "because"),
    [
        (_DOMAINS, f"{__name__}:not_a_domain", f"{_UNUSABLE}it returned dict, not"),
        (_DOMAINS, f"{__name__}:broken", f"{_UNUSABLE}KeyError: 'no such key'"),
        (_DOMAINS, f"{__name__}:nowhere", _NOT_FOUND),
        (_DOMAINS, "no_such_module:declare", f"{_NOT_FOUND}No module named 'no_such_module'"),
        (_DOMAINS, f"{__name__}:second_market", "kind of run 'symbol_refresh' is declared twice"),
        ("penstock.sources", f"{__name__}:Bank", f"{_UNUSABLE}it has no `declaration`"),
    ],
)
async def test_a_malformed_package_is_refused_at_start_in_one_sentence(
    group: str, value: str, because: str, tmp_path: Path
) -> None:
    package = installed(tmp_path, group, "rates", value)
    penstock = commands(package, tmp_path, database_url=f"sqlite:///{tmp_path / 'penstock.db'}")
    code, said = await penstock("serve", "--port", "0")
    [line] = said.splitlines()
    assert (code, line.startswith("penstock: "), because in line) == (2, True, True), said
