"""Repeated requests for gaps use at most a tenth of the provider's limit, in all processes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from penstock.market.collect.repeats import SHARE
from penstock.store.write.budget import SqlBudget, SqlRepeats, budgets_used
from tests.engine.engines import engine
from tests.simulated import MINUTE, NOW, World, open_world

if TYPE_CHECKING:
    from collections.abc import Sequence

_PER_MINUTE = 50
# The beginning of a minute.
_MINUTE_0 = 1_800_000_000.0
_WEIGHT = 400
# A page weighs 2.
_ALLOWED = int(_WEIGHT / 2 * SHARE)


async def test_two_processes_together_use_at_most_the_share_of_one_minute(
    database_url: str,
) -> None:
    now = _MINUTE_0
    async with engine(database_url) as first, engine(database_url, migrated=False) as second:
        both = [
            SqlRepeats(process.database, "binance", per_minute=_PER_MINUTE, clock=lambda: now)
            for process in (first, second)
        ]
        taken = await asyncio.gather(*(both[place % 2].take(7) for place in range(12)))
        assert sorted(taken) == [0, 0, 0, 0, 1, *[7] * 7]
        now += 59
        assert [await share.take(1) for share in both] == [0, 0]
        now += 1
        assert await both[0].take(30) == 30
        assert await both[1].take(30) == 20, "the rest of the new minute"


async def test_a_provider_is_shown_once_with_its_repeated_requests(database_url: str) -> None:
    async with engine(database_url) as e:
        await SqlRepeats(e.database, "binance", per_minute=_PER_MINUTE).take(3)
        assert await e.database.read(budgets_used) == [], "no provider has been used yet"
        await SqlBudget(e.database, "binance").pause(500)
        [shown] = await e.database.read(budgets_used)
        assert shown.provider == "binance"
        assert 490 < shown.pause_s <= 500
        assert shown.repeats in {0, 3}, "no share when the minute ends meanwhile"


async def _make_holes(world: World, minutes: Sequence[int], due: Sequence[int]) -> None:
    """Write holes found once, this many minutes before now, and due for some minutes."""

    def at(ms: int) -> str:
        return str(ms) if world.app.database.file else f"to_timestamp({ms} / 1000.0)"

    running = NOW - NOW % MINUTE
    rows, begin = [], running - max(minutes) * MINUTE - 10 * MINUTE
    for ago, since in zip(minutes, due, strict=True):
        start = running - ago * MINUTE
        rows.append(f"(1, {at(begin)}, {at(start)}, 'stored', 1, NULL, NULL, NULL, NULL, NULL)")
        asked, due_at = at(begin), at(NOW - since * MINUTE)
        evidence = f"1, {asked}, {asked}, 'binance', {due_at}"
        rows.append(f"(1, {at(start)}, {at(start + MINUTE)}, 'unconfirmed', 1, {evidence})")
        begin = start + MINUTE
    rows.append(f"(1, {at(begin)}, {at(running)}, 'stored', 1, NULL, NULL, NULL, NULL, NULL)")
    columns = (
        "(series_id, start_time, end_time, state, run_id, asked, first_asked, last_asked, source,"
        " due_at)"
    )
    await world.app.database.write(
        lambda connection: connection.exec_driver_sql("DELETE FROM coverage")
    )
    insert = f"INSERT INTO coverage {columns} VALUES {', '.join(rows)}"
    await world.app.database.write(lambda connection: connection.exec_driver_sql(insert))


async def test_a_run_with_scattered_gaps_sends_a_request_for_each_of_the_oldest_due_ones(
    database_url: str,
) -> None:
    holes = 3 * _ALLOWED
    async with open_world(database_url, binance_weight_per_minute=_WEIGHT) as world:
        await world.collect("BTCUSDT", limit=5)
        minutes = [(holes - place) * 1_000 for place in range(holes)]
        # Their due times are not in the order of the gaps.
        due = [7 + 11 * place % holes for place in range(holes)]
        await _make_holes(world, minutes, due)
        await world.exchange.faults()
        await world.collect("BTCUSDT")
        left = {span.start for span in await world.spans() if span.state.value == "unconfirmed"}
        running = NOW - NOW % MINUTE
        oldest = sorted(range(holes), key=lambda place: -due[place])[:_ALLOWED]
        assert left == {
            running - minutes[place] * MINUTE for place in range(holes) if place not in oldest
        }
        assert len(await world.exchange.asked()) == _ALLOWED + 1, "and one for the newest page"
