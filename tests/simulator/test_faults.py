"""Each fault does what its name says and hits its requests; a malformed one is refused."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from penstock.simulator.faults.parse import PARAMETERS, parse_fault
from penstock.simulator.server import SimulatorSettings, running
from tests.simulator.conftest import NOW_MS

if TYPE_CHECKING:
    from tests.simulator.conftest import Simulator

KLINES = "/api/v3/klines?symbol=BTCUSDT&interval=1m&limit=5"


async def raw(
    simulator: Simulator, path: str = KLINES, timeout_s: float = 20
) -> tuple[int, bytes, Any]:
    timeout = aiohttp.ClientTimeout(total=timeout_s)
    async with simulator.session.get(path, allow_redirects=False, timeout=timeout) as response:
        return response.status, await response.read(), response.headers


@pytest.mark.parametrize(("name", "status", "wait"), [("rate_limit", 429, 3), ("ban", 418, 200)])
async def test_a_refusal_has_its_status_its_code_and_retry_after(
    simulator: Simulator, name: str, status: int, wait: int
) -> None:
    await simulator.faults({"name": name, "retry_after": wait, "count": 2})
    for _ in range(2):
        got, body, headers = await raw(simulator)
        assert (got, headers["Retry-After"], json.loads(body)["code"]) == (status, str(wait), -1003)
    assert (await raw(simulator))[0] == 200


@pytest.mark.parametrize("code", [500, 502, 503, 504])
async def test_a_server_error_has_the_status_asked_for(simulator: Simulator, code: int) -> None:
    await simulator.faults({"name": "server_error", "code": code})
    assert (await raw(simulator))[0] == code


async def test_latency_delays_and_then_answers_properly(simulator: Simulator) -> None:
    await simulator.faults({"name": "latency", "ms": 300})
    with pytest.raises(TimeoutError):
        await raw(simulator, timeout_s=0.05)
    assert (await raw(simulator))[0] == 200


async def test_a_gated_body_continues_when_the_fault_is_switched_off(
    simulator: Simulator,
) -> None:
    whole = await raw(simulator)
    await simulator.faults({"name": "gate", "at": 100})
    async with simulator.session.get(KLINES) as response:
        begin = await response.content.readexactly(100)
        rest = asyncio.create_task(response.read())
        assert (await asyncio.wait([rest], timeout=0.1))[1] == {rest}
        await simulator.faults()
        assert (200, begin + await rest) == whole[:2]


async def test_a_hanging_request_is_noted_and_never_answered(simulator: Simulator) -> None:
    await simulator.faults({"name": "hang", "count": 1})
    with pytest.raises(TimeoutError):
        await raw(simulator, timeout_s=0.2)
    _, seen = await simulator.get("/simulator/requests")
    assert [(request["status"], request["faults"]) for request in seen["newest"]] == [
        (None, ["hang"])
    ]
    assert (await raw(simulator))[0] == 200


async def test_a_slow_answer_drips_and_is_whole_in_the_end(simulator: Simulator) -> None:
    proper = await raw(simulator)
    await simulator.faults({"name": "slow", "bytes": 64, "pause_ms": 5})
    assert (await raw(simulator))[1] == proper[1]
    await simulator.faults({"name": "slow"})
    with pytest.raises(TimeoutError):
        await raw(simulator, timeout_s=0.3)


async def test_a_reset_breaks_the_connection(simulator: Simulator) -> None:
    # Without a count, because aiohttp repeats a GET when a kept connection breaks.
    await simulator.faults({"name": "reset"})
    with pytest.raises(aiohttp.ClientOSError, match="reset"):
        await raw(simulator)
    await simulator.faults()
    assert (await raw(simulator))[0] == 200


async def test_a_truncated_body_is_shorter_than_promised_or_cut_json(simulator: Simulator) -> None:
    await simulator.faults({"name": "truncated", "count": 1})
    with pytest.raises(aiohttp.ClientPayloadError):
        await raw(simulator)
    await simulator.faults({"name": "truncated", "variant": "json"})
    status, body, headers = await raw(simulator)
    assert (status, headers["Content-Length"]) == (200, str(len(body)))
    with pytest.raises(json.JSONDecodeError):
        json.loads(body)


@pytest.mark.parametrize("status", [200, 403])
async def test_a_html_page_comes_instead_of_json(simulator: Simulator, status: int) -> None:
    await simulator.faults({"name": "html", "status": status})
    got, body, headers = await raw(simulator)
    assert (got, headers["Content-Type"].split(";")[0], body[:6]) == (
        status,
        "text/html",
        b"<html>",
    )


async def test_a_redirect_leads_to_a_path_that_looks_good(simulator: Simulator) -> None:
    await simulator.faults({"name": "redirect", "path": "klines"})
    status, _, headers = await raw(simulator)
    assert (status, headers["Location"]) == (302, "/api/v3/ping")
    assert await simulator.get("/api/v3/klines", symbol="BTCUSDT", interval="1m") == (200, {})


@pytest.mark.parametrize("gzip", [False, True])
async def test_an_oversized_answer_is_streamed_without_a_length(
    simulator: Simulator, *, gzip: bool
) -> None:
    await simulator.faults({"name": "oversized", "mib": 20, "gzip": gzip})
    size = 0
    async with (
        aiohttp.ClientSession(auto_decompress=False) as session,
        session.get(simulator.url + KLINES) as response,
    ):
        assert "Content-Length" not in response.headers
        async for piece in response.content.iter_any():
            size += len(piece)
    assert size < 200_000 if gzip else size > 20_900_000


@pytest.mark.parametrize(
    ("kind", "part"),
    [
        ("nan", b'"NaN"'),
        ("nan_token", b",NaN,"),
        ("inf", b'"Infinity"'),
        ("inf_token", b",1e999,"),
        ("negative", b'"-1.00000000"'),
    ],
)
async def test_a_bad_number_stands_in_the_row_asked_for(
    simulator: Simulator, kind: str, part: bytes
) -> None:
    proper = (await raw(simulator))[1].split(b"],[")
    await simulator.faults({"name": "bad_rows", "kind": kind, "row": 1})
    spoiled = (await raw(simulator))[1].split(b"],[")
    assert part in spoiled[1]
    assert [spoiled[row] for row in (0, 2, 3, 4)] == [proper[row] for row in (0, 2, 3, 4)]


async def test_rows_can_be_doubled_out_of_order_impossible_or_at_a_wrong_time(
    simulator: Simulator,
) -> None:
    proper = await simulator.klines(limit=5)

    async def with_bad(kind: str, row: int) -> list[list[Any]]:
        await simulator.faults({"name": "bad_rows", "kind": kind, "row": row})
        return await simulator.klines(limit=5)

    assert await with_bad("duplicate", 2) == [*proper[:3], *proper[2:]]
    assert await with_bad("out_of_order", -1) == [proper[4], *proper[:4]]
    assert await with_bad("out_of_order", 0) == [*proper[1:], proper[0]]
    high_below_low = (await with_bad("high_below_low", 3))[3]
    assert Decimal(high_below_low[2]) < Decimal(high_below_low[3])
    assert (await with_bad("microseconds", 0))[0][0] == proper[0][0] * 1000
    assert (await with_bad("future", 4))[4][0] > NOW_MS + 10**12
    assert await with_bad("future", 7) == proper


async def test_changed_candles_are_valid_closed_ones_with_other_values(
    simulator: Simulator,
) -> None:
    proper = await simulator.klines(limit=5)
    await simulator.faults({"name": "changed", "symbol": "BTCUSDT"})
    changed = await simulator.klines(limit=5)
    for before, after in zip(proper[:-1], changed[:-1], strict=True):
        assert (before[4], before[5]) != (after[4], after[5])
        assert Decimal(after[3]) <= Decimal(after[4]) <= Decimal(after[2])
        assert [before[column] for column in (0, 1, 2, 3, 6, 7, 8)] == [
            after[column] for column in (0, 1, 2, 3, 6, 7, 8)
        ]
    assert changed[-1] == proper[-1]
    await simulator.faults({"name": "changed", "row": 1})
    assert [
        row == was for row, was in zip(await simulator.klines(limit=5), proper, strict=True)
    ] == [True, False, True, True, True]


async def test_a_fault_hits_only_what_it_names_after_so_many_and_so_often(
    simulator: Simulator,
) -> None:
    await simulator.faults(
        {
            "name": "server_error",
            "path": "/api/v3/klines",
            "symbol": "ETHUSDT",
            "interval": "5m",
            "after": 1,
            "count": 2,
        }
    )

    async def status(symbol: str, interval: str) -> int:
        return (await simulator.get("/api/v3/klines", symbol=symbol, interval=interval, limit=1))[0]

    assert [await status(*asked) for asked in (("BTCUSDT", "5m"), ("ETHUSDT", "1m"))] == [200, 200]
    assert [await status("ETHUSDT", "5m") for _ in range(5)] == [200, 500, 500, 200, 200]
    assert (await simulator.get("/api/v3/ticker/price", symbol="ETHUSDT"))[0] == 200
    _, shown = await simulator.get("/simulator/faults")
    assert [(fault["name"], fault["matched"], fault["hits"]) for fault in shown["faults"]] == [
        ("server_error", 5, 2)
    ]


async def test_chance_is_the_same_for_the_same_seed(simulator: Simulator) -> None:
    runs = []
    for _ in range(2):
        await simulator.faults({"name": "server_error", "probability": 0.5})
        runs.append([(await simulator.get("/api/v3/ping"))[0] for _ in range(30)])
    assert runs[0] == runs[1]
    assert set(runs[0]) == {200, 500}


async def test_several_faults_act_together(simulator: Simulator) -> None:
    await simulator.faults(
        {"name": "latency", "ms": 1},
        {"name": "bad_rows", "kind": "duplicate"},
        {"name": "changed", "row": 0},
    )
    rows = await simulator.klines(limit=3)
    assert len(rows) == 4
    assert rows[0] == rows[1]
    _, seen = await simulator.get("/simulator/requests", limit=1)
    assert seen["newest"][0]["faults"] == ["latency", "bad_rows", "changed"]


async def test_admin_paths_are_never_hit_and_faults_can_be_switched_off(
    simulator: Simulator,
) -> None:
    await simulator.faults({"name": "server_error"})
    assert (await simulator.get("/simulator/clock"))[0] == 200
    assert (await raw(simulator))[0] == 500
    async with simulator.session.delete("/simulator/faults") as response:
        assert await response.json() == {"faults": []}
    assert (await raw(simulator))[0] == 200


@pytest.mark.parametrize(
    ("wrong", "part"),
    [
        ({"name": "latncy"}, "there is no fault 'latncy'; choose one of latency, rate_limit"),
        ({"name": "latency"}, "missing required field `ms`"),
        ({"name": "latency", "ms": -1}, ">= 0"),
        ({"name": "latency", "ms": 1, "sec": 2}, "unknown field `sec`"),
        ({"name": "server_error", "code": 404}, "code=500|502|503|504"),
        ({"name": "bad_rows", "kind": "odd"}, "kind=nan|nan_token|inf|"),
        ({"ms": 3}, "there is no fault None"),
    ],
)
async def test_a_wrong_fault_is_one_sentence_and_changes_nothing(
    simulator: Simulator, wrong: dict[str, object], part: str
) -> None:
    await simulator.faults({"name": "latency", "ms": 1})
    before = await simulator.get("/simulator/faults")
    status, answer = await simulator.faults({"name": "hang"}, wrong)
    assert status == 422
    assert part in answer["error"]
    assert await simulator.get("/simulator/faults") == before


async def test_faults_can_be_on_from_the_start() -> None:
    settings = SimulatorSettings(
        symbols=3, faults=("rate_limit:retry_after=7,count=1", "html:status=200,after=1")
    )
    async with running(settings) as url, aiohttp.ClientSession(url) as session:
        async with session.get("/api/v3/ping") as response:
            assert (response.status, response.headers["Retry-After"]) == (429, "7")
        async with session.get("/api/v3/ping") as response:
            assert response.content_type == "text/html"


async def test_the_simulator_stops_while_requests_hang() -> None:
    async with running(SimulatorSettings(symbols=3, faults=("hang",))) as url:
        session = aiohttp.ClientSession(url)
        hanging = asyncio.create_task(session.get("/api/v3/ping"))
        await asyncio.sleep(0.1)
    with pytest.raises(aiohttp.ClientError):
        await hanging
    await session.close()


def test_every_fault_can_be_written_on_the_command_line() -> None:
    needed = {
        "latency": "ms=5",
        "bad_rows": "kind=nan",
        "throttle": "bytes_per_s=9",
        "cut": "at=-1",
        "framing": "kind=close",
        "bad_products": "kind=empty",
    }
    for name in PARAMETERS:
        fault = parse_fault(f"{name}:{needed.get(name, 'after=3')},count=2")
        assert fault.count == 2
