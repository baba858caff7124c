"""`/metrics` has documented names, and also works without the database."""

from __future__ import annotations

import re
import uuid
from functools import partial
from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import insert, select, text

from penstock.runs.tables import run as runs
from penstock.store.write.budget import SqlRepeats
from tests.api.collector import SILENT, Collector, collector
from tests.api.steps import steps_on_the_loop
from tests.budget.spending import MOST_STEPS
from tests.house.sources import ROOT
from tests.postgres_server import away

if TYPE_CHECKING:
    from sqlalchemy import Connection


GAP_REASONS = (
    "unconfirmed",
    "outage",
    "failed",
    "rejected",
    "not_collected",
    "not_listed",
    "delisted",
)


async def _text(service: Collector) -> str:
    async with service.session.get("/metrics") as answer:
        assert answer.status == 200
        assert answer.content_type == "text/plain"
        return await answer.text()


async def _values(service: Collector) -> dict[str, float]:
    return _parsed(await _text(service))


def _parsed(shown: str) -> dict[str, float]:
    """Every value by its name and its label values, in alphabetical order of the labels."""
    families = text_string_to_metric_families(shown)
    return {
        " ".join([sample.name, *sample.labels.values()]): sample.value
        for family in families
        for sample in family.samples
    }


async def test_runs_and_candles_are_counted_by_kind(database_url: str) -> None:
    async with collector(database_url, run_attempts=2, run_retry_s=0.01) as service:
        await service.exchange.faults(
            {"name": "server_error", "symbol": "ETHUSDT", "path": "/api/v3/klines"},
            SILENT | {"symbol": "BNBUSDT"},
        )
        await service.collect("BTCUSDT ETHUSDT", "1m 5m")
        await service.collect("ETHUSDT")
        cancelled = await service.start("BNBUSDT")
        await service.running(cancelled)
        waiting = await service.start("BNBUSDT", wait=True)
        values = await _values(service)
        assert values["penstock_active_runs data_collection running"] == 1
        assert values["penstock_active_runs data_collection pending"] == 1
        assert (values["penstock_queue_length"], values["penstock_stuck_runs"]) == (1, 0)
        for task_id in (waiting, cancelled):
            await service.call("POST", f"/task/{task_id}/cancel")
            await service.ended(task_id)
        values = await _values(service)
        assert values == values | {
            "penstock_runs_total data_collection completed": 1,
            "penstock_runs_total data_collection failed": 1,
            "penstock_runs_total data_collection cancelled": 2,
            "penstock_run_retries_total data_collection": 1,
            "penstock_run_duration_seconds_count data_collection": 3,
            "penstock_errors_total source_unavailable data_collection": 2,
            "penstock_errors_total run_unavailable data_collection": 1,
            "penstock_candles_written_total inserted": 200,
            "penstock_candles_written_total updated": 0,
            "penstock_candles_rejected_total": 0,
            "penstock_queue_length": 0,
            "penstock_database_up": 1,
        }
        assert "penstock_active_runs data_collection running" not in values
        assert values["penstock_source_requests_total"] > 3
        assert (await _values(service))["penstock_runs_total data_collection completed"] == 1


async def test_thousands_of_ended_runs_are_counted_beside_other_work(
    sqlite_database: str,
) -> None:
    # On PostgreSQL, what delivers runs takes larger steps of its own.
    async with collector(sqlite_database) as service:
        await service.collect("BTCUSDT", "1m")
        await _text(service)
        await service.app.database.write(partial(_copy_runs, times=2_000))
        with steps_on_the_loop() as steps:
            shown = await _text(service)
    assert _parsed(shown)["penstock_runs_total data_collection completed"] == 2_001
    assert steps.most <= MOST_STEPS, steps


def _copy_runs(connection: Connection, times: int) -> None:
    """Write the last run again, as other runs."""
    columns = [column for column in runs.columns if column.name != "id"]
    [row] = connection.execute(select(*columns).order_by(runs.c.id.desc()).limit(1)).mappings()
    copies = [{**row, "task_id": str(uuid.uuid4())} for _ in range(times)]
    connection.execute(insert(runs), copies)


async def test_a_running_run_is_counted_with_the_rows_it_has_written(database_url: str) -> None:
    async with collector(database_url) as service:
        await service.exchange.faults(SILENT | {"symbol": "ETHUSDT"})
        task_id = await service.start("BTCUSDT ETHUSDT")
        values = await service.until(
            lambda: _values(service),
            lambda values: values["penstock_candles_written_total inserted"] > 0,
        )
        assert values["penstock_candles_written_total inserted"] == 100
        await service.call("POST", f"/task/{task_id}/cancel")
        await service.ended(task_id)
        assert (await _values(service))["penstock_candles_written_total inserted"] == 100


async def test_the_metrics_report_the_health_of_the_service(database_url: str) -> None:
    async with collector(database_url) as service, service.session.ws_connect("/api/v1/ws") as ws:
        await service.collect()
        await ws.send_str("what")
        await ws.receive()
        values = await _values(service)
        assert (
            values["penstock_websocket_clients"],
            values["penstock_websocket_messages_total"],
        ) == (1, 1)
        assert (
            0
            <= values["penstock_event_loop_lag_seconds p99"]
            <= values["penstock_event_loop_lag_seconds max"]
        )
        assert values[f"penstock_provider_weight_used {service.exchange.url}"] > 0
        assert values[f"penstock_provider_pause_seconds {service.exchange.url}"] == 0
        assert values["process_resident_memory_bytes"] > 0


async def test_the_metrics_show_the_pause_of_a_provider(database_url: str) -> None:
    async with collector(database_url, run_attempts=1) as service:
        await service.exchange.faults(
            {"name": "rate_limit", "retry_after": 500, "path": "/api/v3/klines"}
        )
        await service.collect()
        assert (
            400
            < (await _values(service))[f"penstock_provider_pause_seconds {service.exchange.url}"]
            <= 500
        )


async def test_gaps_and_restatements_of_the_ledger_are_counted(database_url: str) -> None:
    async with collector(database_url) as service:
        assert {
            name: value
            for name, value in (await _values(service)).items()
            if name.startswith(("penstock_gaps ", "penstock_restatements"))
        } == {
            **{f"penstock_gaps {reason}": 0 for reason in GAP_REASONS},
            "penstock_restatements": 0,
        }
        await service.collect(limit=50, since="2023-05-01")
        await service.exchange.faults(
            {"name": "bad_rows", "kind": "negative", "row": 7, "path": "/api/v3/klines"}
        )
        await service.collect("ETHUSDT", limit=50)
        await service.exchange.faults({"name": "changed", "row": 9, "path": "/api/v3/klines"})
        await service.collect(recheck=True, since="2023-05-17T12:00:00")
        values = await _values(service)
        assert values == values | {
            "penstock_gaps not_collected": 1,
            "penstock_gaps rejected": 1,
            "penstock_gaps outage": 0,
            "penstock_restatements": 1,
        }
        await service.exchange.faults()
        await service.collect("ETHUSDT")
        assert (await _values(service))["penstock_gaps rejected"] == 0


async def test_requests_for_gaps_are_counted_by_provider(
    database_url: str,
) -> None:
    async with collector(database_url, binance_weight_per_minute=6_000, run_attempts=1) as service:
        await service.exchange.faults(
            {"name": "rate_limit", "retry_after": 500, "path": "/api/v3/klines"}
        )
        await service.collect()
        url = service.exchange.url
        # A minute that lasts longer than the test.
        ahead = (
            "window_start + 86400000"
            if service.app.database.file
            else "window_start + interval '1 day'"
        )
        await SqlRepeats(service.app.database, url, per_minute=300).take(30)
        moved = text(f"UPDATE provider_budget SET window_start = {ahead} WHERE provider = :name")
        await service.app.database.write(
            lambda connection: connection.execute(moved, {"name": f"{url} (again)"})
        )
        values = await _values(service)
        assert values == values | {
            f"penstock_gap_requests {url}": 30,
            f"penstock_gap_requests_share {url}": 0.01,
        }
        assert not [name for name in values if "(again)" in name]
        assert 400 < values[f"penstock_provider_pause_seconds {url}"] <= 500
        paused = [
            rule
            for rule in (await service.get("/api/v1/admin/data-collection/health"))["rules"]
            if rule["rule"] == "provider_paused"
        ]
        assert [line["value"] for line in paused] == [1]


async def test_without_the_database_the_last_known_values_are_served(
    postgres_database: str,
) -> None:
    async with collector(postgres_database, work=False, database_timeout_s=2) as service:
        assert (await _values(service))["penstock_database_up"] == 1
        with away(postgres_database):
            values = await _values(service)
            assert (values["penstock_database_up"], values["penstock_websocket_clients"]) == (0, 0)
        assert (await _values(service))["penstock_database_up"] == 1


async def test_every_name_is_documented(sqlite_database: str) -> None:
    documented = set(
        re.findall(
            r"^\| `(penstock_\w+)`",
            (ROOT / "docs/metrics.md").read_text(encoding="utf-8"),
            flags=re.MULTILINE,
        )
    )
    async with collector(sqlite_database, work=False) as service:
        exposed = re.findall(r"^# TYPE (penstock_\w+) ", await _text(service), flags=re.MULTILINE)
        assert set(exposed) == documented
