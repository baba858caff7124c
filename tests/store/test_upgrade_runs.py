"""A database from before delivery by a queue: its runs continue after the upgrade."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from penstock.errors import ConflictError
from penstock.store.migrate import migrate
from tests.engine.engines import engine
from tests.market_builders import migrate_to, opened

if TYPE_CHECKING:
    from sqlalchemy import Connection

BEFORE = "0008"


@dataclass(frozen=True)
class Left:
    """A run as the old version left it; its times are seconds from now."""

    state: str
    fence: int = 0
    resources: str = ""
    waiting: bool = False
    cancel_asked: bool = False
    heartbeat_s: int | None = None
    next_try_s: int | None = None


RUNS = {
    "queued": Left("queued", resources="a"),
    "waiting": Left("queued", resources="b", waiting=True),
    "retrying": Left("queued", fence=1, resources="c", next_try_s=1),
    "running": Left("running", fence=3, resources="b", heartbeat_s=-60),
    "unwanted": Left("running", fence=1, resources="d", heartbeat_s=-60, cancel_asked=True),
    "ended": Left("succeeded", fence=2),
}


def task_of(name: str) -> uuid.UUID:
    return uuid.uuid5(uuid.NAMESPACE_OID, name)


def fill(connection: Connection, left: dict[str, Left]) -> None:
    migrate_to(connection, BEFORE)
    for number, (name, run) in enumerate(left.items(), start=1):
        row: dict[str, Any] = {
            "id": number,
            "task_id": str(task_of(name)),
            "state": run.state,
            "fence": run.fence,
            "waiting": run.waiting,
            "cancel_asked": run.cancel_asked,
            "resources": f'["{run.resources}"]' if run.waiting else None,
        }
        times = {
            "created_at": -90,
            "started_at": -80 if run.fence else None,
            "finished_at": -70 if run.state == "succeeded" else None,
            "heartbeat_at": run.heartbeat_s,
            "next_try_at": run.next_try_s,
        }
        columns = ", ".join([*row, *times, "kind", "params"])
        values = ", ".join(
            [
                *(
                    f"CAST(:{name} AS jsonb)" if is_json(connection, name) else f":{name}"
                    for name in row
                ),
                *(after(connection, seconds) for seconds in times.values()),
                "'nothing'",
                "'{}'",
            ]
        )
        connection.execute(text(f"INSERT INTO run ({columns}) VALUES ({values})"), row)
        if run.resources and not run.waiting:
            connection.execute(text(f"INSERT INTO run_claim VALUES ('{run.resources}', {number})"))
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT setval('run_id_seq', 100)"))


def is_json(connection: Connection, name: str) -> bool:
    return name == "resources" and connection.dialect.name == "postgresql"


def after(connection: Connection, seconds: int | None) -> str:
    if seconds is None:
        return "NULL"
    if connection.dialect.name == "postgresql":
        return f"clock_timestamp() + interval '{seconds} seconds'"
    return f"CAST((julianday('now') - 2440587.5) * 86400000 + {1000 * seconds} AS INTEGER)"


async def test_queued_waiting_retrying_and_running_runs_continue_after_the_upgrade(
    empty_database_url: str,
) -> None:
    async with opened(empty_database_url, migrated=False) as store:
        await store.database.write(lambda connection: fill(connection, RUNS))
        await migrate(store.database)
        rows = {
            row["task_id"]: row
            for row in await store.rows("SELECT task_id, state, fence, waiting FROM run")
        }
        assert rows[str(task_of("running"))]["state"] == "queued"
        assert [rows[str(task_of(name))]["fence"] for name in RUNS] == [0, 0, 1, 3, 1, 2]
        assert await store.rows("SELECT resource FROM run_claim ORDER BY 1") == [
            {"resource": name} for name in "abcd"
        ]
    async with engine(empty_database_url) as e, e.working():
        await e.until_all_ended()
        ended = {name: await e.run_row(task_of(name)) for name in RUNS}
        assert {name: row["state"] for name, row in ended.items()} == dict.fromkeys(
            RUNS, "succeeded"
        ) | {"unwanted": "cancelled"}
        assert {name: ended[name]["fence"] for name in ("queued", "waiting", "running")} == {
            "queued": 1,
            "waiting": 1,
            "running": 4,
        }
        assert ended["ended"]["fence"] == 2
        assert await e.claims() == {}


async def test_the_upgrade_is_refused_while_a_worker_of_the_previous_version_is_active(
    empty_database_url: str,
) -> None:
    async with opened(empty_database_url, migrated=False) as store:
        left = {"running": Left("running", fence=1, resources="a", heartbeat_s=-5)}
        await store.database.write(lambda connection: fill(connection, left))
        if store.database.file:
            # The only owner of the file is the process that migrates it.
            await migrate(store.database)
            return
        with pytest.raises(ConflictError, match=f"works on task {task_of('running')}; stop all"):
            await migrate(store.database)
        assert await store.value("SELECT state FROM run") == "running"
        await store.change("UPDATE run SET heartbeat_at = heartbeat_at - interval '1 minute'")
        await migrate(store.database)
        assert await store.value("SELECT state FROM run") == "queued"
