"""A process of its own that asks for health until its input ends, and prints how long each took.

It is no part of the test's process, whose clients would make it wait.
"""

from __future__ import annotations

import http.client
import json
import select
import sys
import time
from urllib.parse import urlsplit

_PAUSE_S = 0.02
_PATHS = ("/livez", "/readyz")


def _asked_ms(address: str, path: str) -> float:
    connection = http.client.HTTPConnection(address, timeout=60)
    began = time.perf_counter()
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    if answer.status != 200:
        raise OSError(f"{path}: {answer.status} {body!r}")
    return 1000 * (time.perf_counter() - began)


def main(url: str) -> None:
    """Print the milliseconds of all answers by path, as JSON, and what failed."""
    address = urlsplit(url).netloc
    found: dict[str, list[float]] = {path: [] for path in _PATHS}
    failed: list[str] = []
    while not select.select([sys.stdin], [], [], _PAUSE_S)[0]:
        for path in _PATHS:
            try:
                found[path].append(_asked_ms(address, path))
            except (OSError, http.client.HTTPException) as error:
                failed.append(f"{path}: {error!r}")
    json.dump([found, failed], sys.stdout)


main(sys.argv[1])
