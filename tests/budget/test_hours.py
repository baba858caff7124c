"""A real service for minutes among hostile clients and providers; `make faults` measures it.

`make faults ARGS="-k hostile_hours --minutes 30"` goes on for half an hour. The short form looks
only at what needs no clock.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import socket
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec
from hypothesis import strategies as st

from penstock.access.vault import new_key
from penstock.api.live.feeds.channels import ClientMessage
from tests.budget.calls import COLLECTOR, TASKS
from tests.budget.floods import FLOODS
from tests.budget.generating import generated
from tests.budget.process import Serving, give_way, pinged, serving, simulating
from tests.budget.provider import CHANGES, Change, Provider, hostile
from tests.budget.requests import requests
from tests.budget.schemas import as_json, values
from tests.budget.sockets import RawSocket, frame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from tests.budget.calls import Call, Door
    from tests.budget.requests import Request
    from tests.conftest import Say
    from tests.trials import Trials

_MB = 1_000_000
_LIVE_P99_MS, _WORST_MS = 250, 1_000
_MEMORY, _LOG_A_MINUTE = 150 * _MB, _MB
_SILENT = 300
_SYNCS, _UPLOADS, _READERS = 5, 20, 200


def test_hostile_hours(database_url: str, tmp_path: Path, trials: Trials, say: Say) -> None:
    minutes = trials.minutes if trials.full else 0.0
    with (
        simulating(tmp_path, "--symbols", "1000", "--account", "demo:2000") as simulator,
        hostile(simulator) as provider,
    ):
        environment = _environment(database_url, provider.url)
        with serving(tmp_path, environment) as service:
            memory, disk = service.memory("VmRSS"), service.disk()
            log, began = service.log.stat().st_size, time.monotonic()
            with pinged(service.door) as health:
                statuses, sent = _hours(service, provider, minutes * 60, trials)
            passed = max(1.0, (time.monotonic() - began) / 60)
            grown = service.memory("VmHWM") - memory
            logged = (service.log.stat().st_size - log) / passed
            say(
                f"{minutes:g} minutes, {sent} messages, seed {trials.seed}: {health}; "
                f"memory + {grown / _MB:.0f} MB, log {logged / _MB:.2f} MB a minute, "
                f"disk + {(service.disk() - disk) / _MB:.0f} MB, answers {statuses}"
            )
            assert health.failed == []
            if trials.full:
                assert health.p99("/livez") <= _LIVE_P99_MS
                assert health.worst("/livez") <= _WORST_MS
                assert grown <= _MEMORY
            assert logged <= _LOG_A_MINUTE
        provider.change = Change()
        with serving(tmp_path, environment) as service:
            service.door.assert_healed()


def _environment(database_url: str, provider: str) -> dict[str, str]:
    return {
        "PENSTOCK_DATABASE_URL": database_url,
        "PENSTOCK_BINANCE_URL": provider,
        "PENSTOCK_CARDTRADER_URL": provider,
        "PENSTOCK_SECRET_KEY": new_key(),
        "PENSTOCK_SCHEDULER_DELAY_S": "1",
        "PENSTOCK_COLLECTION_INTERVAL": "10",
        "PENSTOCK_ALERT_DELAY_S": "1",
        "PENSTOCK_ALERT_INTERVAL_S": "5",
    }


def _hours(
    service: Serving, provider: Provider, seconds: float, trials: Trials
) -> tuple[dict[int, int], int]:
    """Send rounds of messages until the time is over, one at least; statuses, and how many."""
    statuses: dict[int, int] = {}
    sent, until, count = 0, time.monotonic() + seconds, trials.of(40, 100)
    with _beside(service.door, _flood, _slow_reader, _silent):
        while sent == 0 or time.monotonic() < until:
            drawn = _drawn(service.door, count, trials.seed + sent)
            _send(service.door, provider, statuses, drawn)
            sent += count
    return dict(sorted(statuses.items())), sent


def _drawn(door: Door, count: int, number: int) -> Iterable[tuple[Request, Change, str]]:
    """Requests, changes of the provider's answers, and messages of the WebSocket."""
    schema = msgspec.json.schema(ClientMessage)
    messages = values(schema, {"$defs": schema["$defs"]}).map(as_json)
    return generated(
        st.tuples(requests(door.get("/openapi.json")), CHANGES, messages), count, number
    )


def _send(
    door: Door,
    provider: Provider,
    statuses: dict[int, int],
    drawn: Iterable[tuple[Request, Change, str]],
) -> None:
    for request, change, message in drawn:
        provider.change = change
        with contextlib.suppress(ConnectionError, TimeoutError):
            answer = request.sent_to(door)
            statuses[answer.status] = statuses.get(answer.status, 0) + 1
            assert answer.may_pass, (answer, request)
        with contextlib.suppress(ConnectionError, TimeoutError), RawSocket(door) as client:
            client.send(frame(message.encode()[:65_000]))


@contextlib.contextmanager
def _beside(door: Door, *works: Callable[[Door, threading.Event], None]) -> Iterator[None]:
    """Do some works again and again in threads while the block runs."""
    stop = threading.Event()

    def repeat(work: Callable[[Door, threading.Event], None]) -> None:
        while not stop.is_set():
            with contextlib.suppress(OSError, AssertionError):
                work(door, stop)

    with ThreadPoolExecutor(len(works), initializer=give_way) as threads:
        for work in works:
            threads.submit(repeat, work)
        try:
            yield
        finally:
            stop.set()


def _flood(door: Door, _stop: threading.Event) -> None:
    with RawSocket(door) as client:
        client.send_some(random.choice([*FLOODS.values()]), 1.0)


def _slow_reader(door: Door, stop: threading.Event) -> None:
    """Subscribe again and again, and read nothing."""
    names = [f"COIN{number}/USDT" for number in range(400)]
    series = [{"channel": "market_data", "symbol": name, "timeframe": "1m"} for name in names]
    again = frame(json.dumps({"subscribe": series}).encode())
    with RawSocket(door) as client:
        while not stop.is_set() and client.send_some(again, 1.0):
            stop.wait(0.05)


def _silent(door: Door, stop: threading.Event) -> None:
    """Open connections from another address, and send nothing."""
    address = urlsplit(door.url)
    with contextlib.ExitStack() as opened:
        for _ in range(_SILENT):
            connection = socket.create_connection(
                (address.hostname, address.port), 5, source_address=("127.0.0.2", 0)
            )
            opened.enter_context(connection)
        stop.wait(5)


def test_heavy_readers_beside_light_ones(
    database_url: str, tmp_path: Path, trials: Trials, say: Say
) -> None:
    syncs, products = trials.of(1, _SYNCS), trials.of(2_000, 250_000)
    uploads, readers = trials.of(2, _UPLOADS), trials.of(10, _READERS)
    rows = range(trials.of(1_000, 100_000))
    catalogue = b"sku\n" + b"".join(b"card-%d\n" % number for number in rows)
    accounts = [word for n in range(syncs) for word in ("--account", f"demo-{n}:{products}")]
    with (
        simulating(tmp_path, "--no-limits", *accounts) as simulator,
        serving(tmp_path, _environment(database_url, simulator)) as service,
    ):
        door = service.door
        _collected(door)
        tasks = [_sync(door, f"demo-{number}") for number in range(syncs)]
        works: list[Call] = [("GET", _CANDLES, None)] * readers
        works += [("POST", "/api/v1/inventory/catalog", catalogue)] * uploads
        works += [("GET", page, None) for page in _LISTS]
        with pinged(door) as health:
            answers = asyncio.run(door.called_at_once(works))
            ended = [door.ended(task)["status"] for task in tasks]
        statuses = Counter(answer.status for answer in answers)
        say(f"{readers} readers, {uploads} uploads, {syncs} syncs of {products}: {health}")
        say(f"answers {dict(statuses)}, syncs {ended}")
        assert all(answer.may_pass for answer in answers)
        assert statuses.keys() <= {200, 429, 503}
        assert {*ended} == {"completed"}
        assert health.failed == []
        if trials.full:
            assert max(health.worst("/livez"), health.worst("/readyz")) <= _WORST_MS


_CANDLES = "/api/v1/candles?symbol=BTCUSDT&timeframe=1m&limit=5000"
_LISTS = [TASKS, f"{COLLECTOR}/status", "/api/v1/series", "/api/v1/coverage", "/api/v1/gaps"]
_LISTS += ["/api/v1/inventory/products?limit=100", "/api/v1/schedules", "/metrics"]


def _collected(door: Door) -> None:
    body = {"symbols": ["BTCUSDT"], "timeframes": ["1m"], "limit": 5_000}
    assert door.ended(door.post(f"{COLLECTOR}/start", body)["task_id"])["status"] == "completed"


def _sync(door: Door, token: str) -> str:
    account = door.post("/api/v1/inventory/accounts", {"name": token, "token": token})["id"]
    task: str = door.post(f"/api/v1/inventory/accounts/{account}/sync")["task_id"]
    return task
