"""Drives a running service as a user's script would: start a collection, follow it, cancel another, read the statistics.

penstock serve &
python examples/drive_the_api.py http://127.0.0.1:8000 BTCUSDT ETHUSDT
"""

from __future__ import annotations

import json
import sys
import time
import urllib.error
import urllib.request
from typing import Any

PREFIX = "/api/v1/data-collector"


def call(url: str, method: str = "GET", body: dict[str, Any] | None = None) -> tuple[int, Any]:
    """The status and the JSON of an answer."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, method=method, headers={"Content-Type": "application/json"})  # noqa: S310 - the user's own service
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - the same
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        return refused.code, json.load(refused)


def follow(service: str, task_id: str) -> dict[str, Any]:
    """Show the progress of a task until it has ended."""
    while True:
        _, task = call(f"{service}{PREFIX}/task/{task_id}")
        print(f"{task['progress']:3d} %  {task['status']:9}  {task['message']}")
        if task["status"] in {"completed", "failed", "cancelled"}:
            return dict(task)
        time.sleep(0.2)


def main(service: str, symbols: list[str]) -> None:
    """The whole walk."""
    _, started = call(f"{service}{PREFIX}/start", "POST", {"symbols": symbols, "timeframes": ["1m", "1h"]})
    print("started:", started["task_id"])
    print("result:", follow(service, started["task_id"])["result"])

    _, second = call(f"{service}{PREFIX}/start", "POST", {"symbols": symbols, "timeframes": ["1m", "5m", "1d"]})
    status, _ = call(f"{service}{PREFIX}/task/{second['task_id']}/cancel", "POST")
    print("cancelled:" if status != 409 else "had already ended:", follow(service, second["task_id"])["status"])  # noqa: PLR2004 - 409: it was faster

    _, stats = call(f"{service}{PREFIX}/tasks/stats")
    print("statistics:", stats["task_counts"])


if __name__ == "__main__":
    main(sys.argv[1].rstrip("/"), sys.argv[2:] or ["BTCUSDT", "ETHUSDT"])
