"""Alerts through the API and the WebSocket: states, health, targets and the test message."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from penstock.access.vault import new_key
from tests.api.collector import Collector, collector
from tests.receiver import Receiver, receiving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ALERTS = "/api/v1/admin/alerts"
TARGETS = f"{ALERTS}/targets"
HEALTH = "/api/v1/admin/data-collection/health"


@pytest.fixture
async def service(database_url: str) -> AsyncIterator[Collector]:
    async with collector(
        database_url,
        work=False,
        secret_key=new_key(),
        alert_private_targets=True,
        alert_settle_s=0.0,
        alert_interval_s=0.001,
    ) as service:
        yield service


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


async def _executions(service: Collector, status: str, count: int) -> None:
    now = (
        "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"
        if service.app.database.file
        else "now()"
    )
    columns = "(run_id, job_name, job_type, started_at, duration_seconds, status)"
    row = f"(1, 'collect_data_1', 'data_collection', {now}, 1.0, '{status}')"
    await service.app.database.write(
        lambda connection: connection.execute(
            text(f"INSERT INTO job_execution_logs {columns} VALUES {', '.join([row] * count)}")
        )
    )


async def _evaluate(service: Collector) -> None:
    await service.app.alerting._book.evaluate()


async def _add(service: Collector, url: str, name: str = "mine", **more: Any) -> dict[str, Any]:
    status, made = await service.call("POST", TARGETS, {"name": name, "url": url} | more)
    assert status == 201, made
    added: dict[str, Any] = made
    return added


async def test_the_walk_of_a_target(service: Collector, receiver: Receiver) -> None:
    made = await _add(service, receiver.url + "/secret/path")
    assert len(made["signing_key"]) > 30
    listed = await service.get(TARGETS)
    assert [
        (target["name"], target["kind"], target["address"], target["enabled"]) for target in listed
    ] == [("mine", "webhook", receiver.url + "/…", True)]
    assert "secret" not in json.dumps(listed)
    assert "signing_key" not in listed[0]

    path = f"{TARGETS}/{made['id']}"
    assert await service.call("POST", f"{path}/test") == (
        200,
        {"delivered": True, "detail": "it answered 200"},
    )
    assert receiver.received[0].body["title"] == "Penstock: this is a test"
    receiver.answers.append(500)
    assert await service.call("POST", f"{path}/test") == (
        200,
        {"delivered": False, "detail": "it answered 500"},
    )

    status, changed = await service.call("PUT", path, {"name": "other", "enabled": False})
    assert (status, changed["name"], changed["enabled"], changed["signing_key"]) == (
        200,
        "other",
        False,
        None,
    )
    async with service.session.delete(path) as answer:
        assert answer.status == 204
    assert await service.get(TARGETS) == []


BAD_TARGETS: list[tuple[dict[str, Any], str]] = [
    ({"name": "x", "url": "gopher://example.org"}, "url"),
    ({"name": "x", "url": "no address"}, "url"),
    ({"name": "x", "url": "http://a\x00b/"}, "url"),
    ({"name": "x", "url": "http://xn--/"}, "url"),
    ({"name": "x", "url": "json://[::1/"}, "url"),
    ({"name": "x", "url": "ntfy://[::1"}, "url"),
    ({"name": "", "url": "https://example.org"}, "name"),
    ({"name": "a\nb", "url": "https://example.org"}, "name"),
    ({"name": "x", "url": "https://example.org/" + "a" * 3_000}, "url"),
    ({"name": "x", "url": "https://example.org", "signing_key": "short"}, "signing_key"),
    ({"name": "x", "url": "https://example.org", "color": "red"}, "color"),
]


async def test_bad_targets_are_refused_by_the_name_of_the_field(
    sqlite_database: str, subtests: pytest.Subtests
) -> None:
    async with collector(sqlite_database, work=False) as service:
        for body, field in BAD_TARGETS:
            with subtests.test(repr(body)[:80]):
                status, answer = await service.call("POST", TARGETS, body)
                assert (status, answer["field"]) == (422, field)
                assert await service.get(TARGETS) == []


async def test_private_addresses_taken_names_and_unknown_targets_are_refused(
    sqlite_database: str,
) -> None:
    async with collector(sqlite_database, work=False) as service:
        status, answer = await service.call(
            "POST", TARGETS, {"name": "x", "url": "http://169.254.169.254/latest/meta-data"}
        )
        assert (status, answer["field"]) == (422, "url")
        await _add(service, "https://nobody-knows.invalid/")
        assert (
            await service.call(
                "POST", TARGETS, {"name": "mine", "url": "https://nobody-knows.invalid/"}
            )
        )[0] == 409
        for method, path in (
            ("PUT", f"{TARGETS}/99"),
            ("DELETE", f"{TARGETS}/99"),
            ("POST", f"{TARGETS}/99/test"),
        ):
            assert (await service.call(method, path, {} if method == "PUT" else None))[0] == 404


async def test_health_shows_each_rule_with_its_threshold_and_state(service: Collector) -> None:
    await _executions(service, "failed", 20)
    before = await service.get(HEALTH)
    assert before["healthy"]
    assert {rule["rule"] for rule in before["rules"]} == set(service.app.health.rules.names)
    await _evaluate(service)
    health = await service.get(HEALTH)
    rules = {rule["rule"]: rule for rule in health["rules"]}
    assert not health["healthy"]
    rate = rules["success_rate"]
    assert (rate["value"], rate["threshold"], rate["ideal"], rate["state"], rate["firing"]) == (
        0.0,
        90.0,
        95.0,
        "firing",
        1,
    )
    assert (
        rules["average_duration"]["state"],
        rules["average_duration"]["threshold"],
        rules["average_duration"]["ideal"],
    ) == ("ok", 10.0, 5.0)
    assert rules["records_fall"]["value"] is None


async def test_alerts_are_listed_counted_and_shown_in_the_metrics(service: Collector) -> None:
    await _executions(service, "failed", 20)
    await _evaluate(service)
    page = await service.get(f"{ALERTS}?state=firing&limit=1")
    assert len(page["alerts"]) == 1
    assert (
        page["firing"]["success_rate"],
        page["firing"]["failed_rate"],
        page["firing"]["late_data"],
    ) == (1, 1, 0)
    everything = await service.get(ALERTS)
    assert {alert["rule"]: alert["message"] for alert in everything["alerts"]}[
        "failed_rate"
    ].startswith("100.0 % failed of 20 executions")
    async with service.session.get("/metrics") as answer:
        assert 'penstock_alerts_firing{rule="failed_rate"} 1.0' in await answer.text()


async def test_a_subscriber_to_alerts_receives_firing_and_resolved_alerts(
    service: Collector,
) -> None:
    await _executions(service, "failed", 20)
    await _evaluate(service)
    async with service.session.ws_connect("/api/v1/ws") as socket:
        await socket.send_json({"subscribe": [{"channel": "alert"}]})
        first = [await socket.receive_json(timeout=60) for _ in range(2)]
        assert {(message["type"], message["rule"], message["state"]) for message in first} == {
            ("alert", "success_rate", "firing"),
            ("alert", "failed_rate", "firing"),
        }
        await _executions(service, "success", 2_000)
        await _evaluate(service)
        then = [await socket.receive_json(timeout=60) for _ in range(2)]
        assert [message["state"] for message in then] == ["resolved", "resolved"]
        assert [message["seq"] for message in (*first, *then)] == [1, 2, 3, 4]
