"""Drives a running service as a user's script would: start a collection, follow it, cancel another, read the statistics.

penstock serve &
python examples/drive_the_api.py                                             # the two below, at this machine's service
python examples/drive_the_api.py http://127.0.0.1:8000 BTCUSDT ETHUSDT
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
    """The status and the JSON of an answer."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, data, headers, method=method)  # noqa: S310 - the user's own service
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - the same
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        return refused.code, json.load(refused)


def start(service: str, symbols: list[str], timeframes: list[str]) -> str:
    """The task id of a new collection; a refusal (bad names, a task that is at it already) ends the script with the service's own sentence."""
    status, answer = call(
        f"{service}{PREFIX}/start", "POST", {"symbols": symbols, "timeframes": timeframes}
    )
    if status != 202:  # noqa: PLR2004 - the published status
        sys.exit(answer["detail"])
    return str(answer["task_id"])


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
