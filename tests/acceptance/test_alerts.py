"""Alerts of the program: targets, and an alert that fires, survives a restart and resolves."""

from __future__ import annotations

import contextlib
import signal
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import create_engine, text

from penstock.access.vault import new_key
from penstock.store.connect import parse_url
from tests.acceptance.commands import Penstock, url_in
from tests.receiver import Receiver, receiving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from sqlalchemy import Connection


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
def alerted(penstock: Penstock, database_url: str) -> Penstock:
    """Evaluates alerts often; nothing is late, because nothing is scheduled."""
    often = {
        "alert_interval_s": "0.2",
        "alert_delay_s": "0",
        "alert_settle_s": "0.2",
        "alert_deadline_s": "5",
    }
    never = {
        "symbols": "BTC/USDT",
        "timeframes": "1M",
        "scheduler_delay_s": "3600",
        "collection_interval": "86400",
    }
    return penstock.with_settings(
        database_url=database_url,
        secret_key=new_key(),
        alert_private_targets="true",
        **often,
        **never,
    )


@contextlib.contextmanager
def _connected(url: str) -> Iterator[Connection]:
    engine = create_engine(
        parse_url(url), connect_args={"timeout": 60} if url.startswith("sqlite") else {}
    )
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def _executions(url: str, status: str, count: int) -> None:
    """Log executions as other runs would."""
    now = (
        "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"
        if url.startswith("sqlite")
        else "now()"
    )
    row = f"(1, 'collect_data_1', 'data_collection', {now}, 1.0, '{status}')"
    columns = "(run_id, job_name, job_type, started_at, duration_seconds, status)"
    with _connected(url) as connection:
        connection.execute(
            text(f"INSERT INTO job_execution_logs {columns} VALUES {', '.join([row] * count)}")
        )


def _firing(listed: Any) -> set[str]:  # noqa: ANN401 - JSON
    return {alert["rule"] for alert in listed if alert["state"] == "firing"}


async def test_an_alert_fires_survives_a_restart_and_is_resolved(
    alerted: Penstock, database_url: str, receiver: Receiver
) -> None:
    assert (await alerted("migrate")).code == 0
    added = await alerted("alert", "targets", "add", "mine", receiver.url + "/hook")
    assert (added.code, len(added.out.strip()) > 30) == (0, True), added.err
    _executions(database_url, "failed", 20)

    # Every delivery fails while the first service lives, and it is killed.
    receiver.answers += [500]
    async with alerted.started("serve", "--port", "0") as serving:
        await serving.says("Penstock serves at")
        await receiver.until(1)
        serving.process.kill()
        await serving.process.wait()

    async with alerted.started("serve", "--port", "0") as serving:
        url_in(await serving.says("Penstock serves at"))
        again = (await receiver.until(2))[1]
        assert again.body["id"] == receiver.received[0].body["id"]
        assert again.messages[0].startswith("firing: ")
        assert _firing((await alerted("alerts", "--json")).json) == {"success_rate", "failed_rate"}
        _executions(database_url, "success", 2_000)
        over = (await receiver.until(3))[2]
        assert {message.partition(":")[0] for message in over.messages} == {"resolved"}
        assert _firing((await alerted("alerts", "--json")).json) == set()
        ended = await serving.ended(signal.SIGTERM)
    assert ended.code == 0


async def test_when_two_processes_evaluate_alerts_only_one_sends(
    penstock: Penstock, postgres_database: str, receiver: Receiver
) -> None:
    """Without a cool-down, a second evaluation would send a second message."""
    once = {
        "alert_interval_s": "3600",
        "alert_cooldown_s": "0",
        "alert_delay_s": "0",
        "scheduler_delay_s": "3600",
    }
    penstock = penstock.with_settings(
        database_url=postgres_database, secret_key=new_key(), alert_private_targets="true", **once
    )
    assert (await penstock("alert", "targets", "add", "mine", receiver.url)).code == 0
    _executions(postgres_database, "failed", 20)
    async with penstock.started("worker") as first, penstock.started("worker") as other:
        await first.says("The worker takes runs")
        await other.says("The worker takes runs")
        await receiver.until(1)
        assert {(await worker.ended(signal.SIGTERM)).code for worker in (first, other)} == {0}
    assert len(receiver.received) == 1


async def test_targets_are_managed_beside_a_service_and_without_one(
    alerted: Penstock, receiver: Receiver
) -> None:
    async def walk(name: str) -> None:
        added = await alerted(
            "alert",
            "targets",
            "add",
            name,
            receiver.url + "/secret",
            "--signing-key",
            "a key of my own making",
        )
        assert (added.code, added.out) == (0, "a key of my own making\n"), added.err
        listed = await alerted("alert", "targets", "list", "--json")
        [target] = listed.json
        assert (target["name"], target["kind"], target["address"]) == (
            name,
            "webhook",
            f"{receiver.url}/…",
        )
        assert "secret" not in listed.out
        tried = await alerted("alert", "targets", "test", str(target["id"]))
        assert (tried.code, tried.out) == (0, "delivered: it answered 200\n")
        receiver.answers.append(500)
        tried = await alerted("alert", "targets", "test", str(target["id"]))
        assert (tried.code, tried.out) == (4, "not delivered: it answered 500\n")
        twin = ("alert", "targets", "add", str(target["id"]), receiver.url)
        assert (await alerted(*twin)).code == 0
        unclear = await alerted("alert", "targets", "remove", str(target["id"]))
        assert (unclear.code, f"use {name!r} or {target['id'] + 1}" in unclear.complaint) == (
            2,
            True,
        )
        assert (await alerted("alert", "targets", "remove", str(target["id"] + 1))).code == 0
        assert (await alerted("alert", "targets", "test", name)).code == 0
        assert (await alerted("alert", "targets", "remove", name)).code == 0
        gone = await alerted("alert", "targets", "remove", str(target["id"]))
        assert (gone.code, gone.complaint.startswith("there is no alert target")) == (2, True)

    await walk("alone")
    async with alerted.started("serve", "--port", "0") as serving:
        await serving.says("Penstock serves at")
        await walk("beside")


async def test_bad_targets_are_refused_in_one_line(penstock: Penstock) -> None:
    refused = {
        (
            "alert",
            "targets",
            "add",
            "mine",
            "http://127.0.0.1:8000/",
        ): "PENSTOCK_ALERT_PRIVATE_TARGETS",
        ("alert", "targets", "add", "mine", "nowhere"): "URL: give a webhook",
        ("alert", "targets", "add", "", "https://example.org/"): "NAME: ",
        (
            "alert",
            "targets",
            "add",
            "mine",
            "https://example.org/",
            "--signing-key",
            "short",
        ): "--signing-key: ",
        ("alert", "targets", "remove", "0"): "there is no alert target '0'",
    }
    for words, complaint in refused.items():
        ended = await penstock(*words)
        assert (ended.code, complaint in ended.complaint) == (2, True), ended
        if "add" in words:
            assert not (penstock.data / "penstock.db").exists()
