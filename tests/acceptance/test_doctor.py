"""`penstock doctor` checks what is used, and asks no provider that wants no request."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

from penstock.opening import open_database
from penstock.settings import load_settings
from penstock.simulator.server import SimulatorSettings, running
from penstock.store.write.budget import SqlBudget
from tests.acceptance.seller import TOKEN, a_seller

if TYPE_CHECKING:
    from tests.acceptance.commands import Ended, Penstock

_NOWHERE = "http://127.0.0.1:1"


def verdicts(report: Ended) -> dict[str, str]:
    """The verdict of each check by its name."""
    assert report.err == ""
    lines = [line for line in report.out.splitlines() if line[:4] in {"ok  ", "FAIL", "wait"}]
    return {line[5:].partition(":")[0]: line[:4].strip() for line in lines}


async def test_a_provider_that_asked_for_a_pause_is_not_asked(
    penstock: Penstock, database_url: str
) -> None:
    # A request would fail there.
    penstock = penstock.with_settings(binance_url=_NOWHERE, database_url=database_url)
    async with open_database(load_settings(database_url=database_url)) as database:
        await SqlBudget(database, _NOWHERE).pause(7_200)
    paused = await penstock("doctor")
    assert (paused.code, verdicts(paused)["binance"]) == (0, "wait")
    assert f"wait binance: {_NOWHERE} asked us to wait; try again in 7" in paused.out
    asked = await penstock.with_settings(binance_url="http://127.0.0.1:2")("doctor")
    assert (asked.code, verdicts(asked)["binance"]) == (1, "FAIL")


async def test_only_what_is_used_is_checked(penstock: Penstock, database_url: str) -> None:
    nobody = penstock.with_settings(database_url=database_url)
    # The default schedule.
    assert verdicts(await nobody("doctor")).keys() == {"database", "secrets", "binance"}
    async with a_seller(penstock, database_url) as seller:
        owner = seller.penstock.with_settings(binance_url=_NOWHERE)
        added = await owner.with_settings(cardtrader_token=TOKEN)("accounts", "add", "shop")
        assert added.code == 0, added.err
        shop = await owner("doctor")
        assert verdicts(shop) == {"database": "ok", "secrets": "ok", "cardtrader": "ok"}
        assert shop.code == 0
        assert TOKEN not in shop.out.replace(str(penstock.folder), "")
        chosen = await owner("doctor", "--exchange", "binance")
        assert verdicts(chosen)["binance"] == "FAIL"
        async with running(SimulatorSettings(symbols=2, accounts=("another:5",))) as url:
            refused = await owner.with_settings(cardtrader_url=url)("doctor")
        assert (refused.code, verdicts(refused)["cardtrader"]) == (1, "FAIL")
        assert "penstock accounts edit shop --token-file FILE" in " ".join(refused.out.split())
        both = seller.penstock
        made = await both("config", "add", "BTC/USDT", "-t", "1h")
        assert made.code == 0, made.err
        assert verdicts(await both("doctor")).keys() == {
            "database",
            "secrets",
            "binance",
            "cardtrader",
        }


async def test_a_configured_symbol_that_is_not_listed_is_told(penstock: Penstock) -> None:
    penstock = penstock.with_settings(symbols="BTC/USDT,BTC/UDST,NOPE/USDT")
    before = await penstock("doctor")
    assert verdicts(before)["symbols"] == "ok"
    assert "not known before the first symbol refresh" in before.out
    async with penstock.started("serve", "--port", "0") as serving:
        for _ in range(2):
            await serving.says("PENSTOCK_SYMBOLS names a symbol that is not listed")
        await serving.says("run succeeded")
        await serving.ended(signal.SIGTERM)
    report = await penstock("doctor")
    assert (report.code, verdicts(report)["symbols"]) == (1, "FAIL")
    told = " ".join(report.out.split())
    assert "PENSTOCK_SYMBOLS: unknown symbol 'BTC/UDST'; did you mean BTC/USDT" in told
    assert "unknown symbol 'NOPE/USDT'" in told
    fine = await penstock.with_settings(symbols="BTC/USDT")("doctor")
    assert verdicts(fine)["symbols"] == "ok"


async def test_the_health_of_a_worker_goes_by_the_database_and_its_heartbeat(
    penstock: Penstock, postgres_database: str
) -> None:
    penstock = penstock.with_settings(
        database_url=postgres_database, binance_url=_NOWHERE, heartbeat_s="0.2"
    )
    none = await penstock("doctor", "--worker")
    assert (none.code, verdicts(none)) == (1, {"database": "ok", "worker": "FAIL"})
    async with penstock.started("worker") as worker:
        await worker.says("The worker takes runs")
        folder = penstock.folder / ".local/state/penstock"
        while not (signs := list(folder.glob("worker-*"))):
            await asyncio.sleep(0.05)
        [sign] = signs
        healthy = await penstock("doctor", "--worker")
        assert (healthy.code, verdicts(healthy)) == (0, {"database": "ok", "worker": "ok"})
        worker.process.send_signal(signal.SIGSTOP)
        os.utime(sign, (0, 0))
        silent = await penstock("doctor", "--worker")
        assert (silent.code, verdicts(silent)["worker"]) == (1, "FAIL")
        assert f"the worker of process {worker.process.pid} gave no sign for" in silent.out
        worker.process.send_signal(signal.SIGCONT)
        ended = await worker.ended(signal.SIGTERM)
        assert ended.code == 0
    assert not sign.exists()


async def test_a_health_check_fails_without_the_database(penstock: Penstock) -> None:
    away = penstock.with_settings(database_url="postgresql://me:hush@127.0.0.1:1/name")
    report = await away("doctor", "--worker")
    assert (report.code, verdicts(report)) == (1, {"database": "FAIL"})
