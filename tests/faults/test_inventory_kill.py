"""kill -9 of a syncing process: one whole version is published, and the next start finishes.

First once in each phase and on both sides of the publishing commit; in the full form also at random
moments, from a printed seed, with n: 0 mixed snapshots in n kills bound their rate at about 3/n.
"""

from __future__ import annotations

import contextlib
import random
from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from penstock.access.vault import new_key
from penstock.app import open_app
from penstock.store.connect import connect, parse_url
from tests.faults.killing import GROWN_OLD, Ended, Moments, victims
from tests.faults.unlisted import nothing_to_look_up
from tests.seller_builders import (
    Rows,
    Seller,
    add_account,
    differing,
    published_rows,
    shop_settings,
    simulated_seller,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from sqlalchemy import Connection

    from penstock.store.session.database import Database
    from tests.conftest import Say
    from tests.trials import Trials

# The moment, whether the export is completely kept by then, and the published version.
_AT = (
    ("first-byte", False, "old"),
    ("parse", False, "old"),
    ("check", True, "old"),
    ("publish", True, "old"),
    ("before:1:snapshot", True, "old"),
    ("after:1:snapshot", True, "new"),
)
_RANDOM_KILLS = (0, 30)
_PRODUCTS = 2_000
_EDITS = {"changed": 30, "gone": 3, "new": 3, "returned": 50, "sold": 2}
# Blueprints are looked up by other runs, which are not urgent.
_SYNCS = "kind = 'inventory_sync'"
_BEGUN, _DONE = "export", "done"


def phase_of(ended: Ended) -> str:
    """The phase in which a process ended."""
    return ended.said[-1][1] if ended.killed and ended.said else _BEGUN if ended.killed else _DONE


@dataclass(frozen=True)
class Left:
    """What a process has left behind, seen by no working process."""

    database: Database
    account_id: int
    folder: Path

    async def published(self) -> Rows:
        return await self.database.read(
            lambda connection: published_rows(connection, self.account_id)
        )

    async def rows(self, statement: str, **parameters: object) -> list[dict[str, Any]]:
        def query(connection: Connection) -> list[dict[str, Any]]:
            return [dict(row) for row in connection.execute(text(statement), parameters).mappings()]

        return await self.database.read(query)

    async def unfinished(self) -> list[str]:
        """The unfinished tasks."""
        return [
            row["task_id"]
            for row in await self.rows(
                f"SELECT task_id FROM run WHERE {_SYNCS} AND state IN ('queued', 'running')"
            )
        ]

    async def kept_whole(self) -> bool:
        """Whether the export of the unfinished sync is completely kept."""
        return any(
            (self.folder / f"{task_id}.json.gz").exists() for task_id in await self.unfinished()
        )

    async def grown_old(self) -> None:
        """Age the heartbeat: on PostgreSQL a killed process counts as alive until it is old."""
        if self.database.file is None:
            await self.database.write(lambda connection: connection.exec_driver_sql(GROWN_OLD))

    async def check_tidy(self) -> None:
        """Assert that everything ended well and no files are left."""
        assert (
            await self.rows(
                f"SELECT task_id, error FROM run WHERE {_SYNCS} AND state <> 'succeeded'"
            )
            == []
        )
        assert await self.rows("SELECT * FROM run_claim WHERE resource LIKE 'account:%'") == []
        assert [path.name for path in self.folder.iterdir()] == []
        if self.database.file:
            assert [path.name for path in self.database.file.parent.glob("*.stage-*")] == []
        else:
            assert (
                await self.rows(
                    "SELECT relname FROM pg_class WHERE relname LIKE 'inventory_stage%'"
                    " OR relname LIKE 'inventory_diff%'"
                )
                == []
            )


@contextlib.asynccontextmanager
async def left_in(url: str, account_id: int, folder: Path) -> AsyncIterator[Left]:
    database = connect(parse_url(url))
    try:
        yield Left(database, account_id, folder)
    finally:
        await database.close()


async def prepared(url: str, seller: Seller, folder: Path, key: str) -> int:
    """A database with the seller's account."""
    folder.mkdir()
    async with open_app(shop_settings(url, seller, folder, secret_key=key)) as app:
        await nothing_to_look_up(app)
        return await add_account(app)


@dataclass(frozen=True)
class Met:
    """What a kill leaves: the export of the unfinished sync, and the version published."""

    kept: bool
    version: str


class Tally:
    """The counts of what the kills met."""

    def __init__(self) -> None:
        self.phases = Counter[str]()
        self.versions = Counter[str]()
        self.used_again = 0

    def said(self, seed: int, drawn: int) -> str:
        phases = ", ".join(f"{count} in {phase}" for phase, count in self.phases.items())
        found = ", ".join(
            f"{count} times the {version} version" for version, count in self.versions.items()
        )
        n = (
            f"n = {self.phases.total()} kills,"
            f" {drawn} of them at random moments of seed {seed} ({phases})"
        )
        return f"{n}: {found}, 0 mixed; the kept export used again {self.used_again} times"


async def one_kill(
    left: Left,
    seller: Seller,
    kill: Callable[[], Awaitable[Ended]],
    go_on: Callable[[], Awaitable[Ended]],
    tally: Tally,
) -> Met:
    """Kill a sync, check what it left, and let the next process continue."""
    before = await left.published()
    await seller.advance(**_EDITS)
    after = await seller.rows()
    await seller.prepare()
    await seller.faults()
    tally.phases[phase_of(await kill())] += 1
    found = await left.published()
    assert found in (before, after), (differing(found, before), differing(found, after))
    met = Met(await left.kept_whole(), "new" if found == after else "old")
    tally.versions[met.version] += 1
    goes_on = await left.unfinished()
    await seller.faults()
    await left.grown_old()
    await go_on()
    # A run that had published, but could not record it, needs no export.
    assert await seller.exports() == (0 if met.kept or (goes_on and met.version == "new") else 1)
    tally.used_again += met.kept
    assert differing(await left.published(), after) == {}
    for task_id in goes_on:
        [run] = await left.rows(
            "SELECT state, error, fence FROM run WHERE task_id = :task_id", task_id=task_id
        )
        assert (run["state"], run["error"]) == ("succeeded", None)
    await left.check_tidy()
    return met


async def test_kill_9_never_leaves_a_mixed_inventory_and_the_next_start_finishes_the_sync(
    database_url: str, tmp_path: Path, trials: Trials, say: Say
) -> None:
    drawn = trials.of(*_RANDOM_KILLS)
    tally, key, folder = Tally(), new_key(), tmp_path / "exports"
    async with simulated_seller(_PRODUCTS) as seller, victims("syncing.py") as processes:
        account_id = await prepared(database_url, seller, folder, key)
        order = f"{database_url} {seller.url} {folder} {key} {account_id}"
        await processes.run(order)
        await seller.advance(**_EDITS)
        await seller.prepare()
        moments = Moments(random.Random(trials.seed), (await processes.run(order)).lived_s)

        async def kill_at_random() -> Ended:
            ended = await processes.run(order, after_s=moments.draw())
            moments.learn(ended)
            return ended

        async with left_in(database_url, account_id, folder) as left:
            assert differing(await left.published(), await seller.rows()) == {}
            for at, *expected in _AT:
                met = await one_kill(
                    left,
                    seller,
                    partial(processes.run, order, at=at),
                    partial(processes.run, order),
                    tally,
                )
                assert [met.kept, met.version] == expected, at
            for _ in range(drawn):
                await one_kill(left, seller, kill_at_random, partial(processes.run, order), tally)
    say(tally.said(trials.seed, drawn))
    assert tally.phases.total() - tally.phases[_DONE] >= len(_AT) + drawn // 3
