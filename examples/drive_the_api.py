"""Drive a running service over HTTP: follow one collection, cancel another, read the statistics.

Run `penstock serve` in one terminal. When it prints its address, run one of these in another:

    python examples/drive_the_api.py
    python examples/drive_the_api.py http://127.0.0.1:8000 BTCUSDT ETHUSDT

Without arguments the script uses the address and the symbols of the second line.
"""

from __future__ import annotations

import json
import sys
import time
import urllib.error
import urllib.request
from http import HTTPStatus
from typing import Any

PREFIX = "/api/v1/data-collector"


def call(url: str, method: str = "GET", body: dict[str, Any] | None = None) -> tuple[int, Any]:
    """Send a request; return the status and the JSON body of the answer."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, data, headers, method=method)  # noqa: S310 - own service
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - own service
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        return refused.code, json.load(refused)


def start(service: str, symbols: list[str], timeframes: list[str]) -> str:
    """Start a collection and return its task id.

    When the service refuses (a wrong name, a task already running), exit with its message.
    """
    status, answer = call(
        f"{service}{PREFIX}/start", "POST", {"symbols": symbols, "timeframes": timeframes}
    )
    if status != 202:  # noqa: PLR2004 - the published status
        sys.exit(answer["detail"])
    return str(answer["task_id"])


def follow(service: str, task_id: str) -> dict[str, Any]:
    """Print the progress of a task until it has ended, and return the task."""
    while True:
        _, task = call(f"{service}{PREFIX}/task/{task_id}")
        print(f"{task['progress']:3d} %  {task['status']:9}  {task['message']}")
        if task["status"] in {"completed", "failed", "cancelled"}:
            return dict(task)
        time.sleep(0.2)


def main(service: str, symbols: list[str]) -> None:
    """Follow one collection to its end, cancel a second one, and print the statistics."""
    first = start(service, symbols, ["1m", "1h"])
    print("started:", first)
    print("result:", follow(service, first)["result"])

    second = start(service, symbols, ["1m", "5m", "1d"])
    status, _ = call(f"{service}{PREFIX}/task/{second}/cancel", "POST")
    outcome = "had already ended:" if status == HTTPStatus.CONFLICT else "cancelled:"
    print(outcome, follow(service, second)["status"])

    _, stats = call(f"{service}{PREFIX}/tasks/stats")
    print("statistics:", stats["task_counts"])


if __name__ == "__main__":
    arguments = sys.argv[1:] or ["http://127.0.0.1:8000"]
    main(arguments[0].rstrip("/"), arguments[1:] or ["BTCUSDT", "ETHUSDT"])
