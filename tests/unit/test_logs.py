"""Log lines: those of libraries look like ours, and no flood of them fills the disk."""

from __future__ import annotations

import json
import subprocess
import sys

import structlog

from penstock.access.scopes import new_token
from penstock.logs import LineLimit, mask_secrets


class _Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def _lines(throttle: LineLimit, event: str, level: str, times: int) -> list[dict[str, object]]:
    found = []
    for _ in range(times):
        try:
            found.append(dict(throttle(None, level, {"event": event, "level": level})))
        except structlog.DropEvent:
            continue
    return found


def test_a_warning_is_written_so_often_in_a_minute_and_then_counted() -> None:
    clock = _Clock()
    throttle = LineLimit(clock)
    assert len(_lines(throttle, "connection dropped", "warning", 1_000)) == 60
    assert len(_lines(throttle, "another", "error", 10)) == 10
    clock.now = 60.0
    first, second = _lines(throttle, "connection dropped", "warning", 2)
    assert first["left_out"] == 940
    assert "left_out" not in second


def test_many_kinds_of_warnings_share_a_bound() -> None:
    throttle = LineLimit(_Clock())
    written = [_lines(throttle, f"kind {number}", "warning", 1) for number in range(5_000)]
    assert sum(map(len, written)) == 600


def test_lines_about_work_are_all_written() -> None:
    assert len(_lines(LineLimit(_Clock()), "run completed", "info", 5_000)) == 5_000


def test_a_field_is_cut() -> None:
    line = mask_secrets(None, "error", {"event": "x", "error": "y" * 1_000_000})
    assert len(line["error"]) < 11_000


_PROGRAM = """
import logging
from penstock.logs import log_to_stderr
log_to_stderr("info")
for number in range(200):
    logging.getLogger("some.library").warning("request %d of %s", number, "TOKEN")
logging.getLogger("some.library").info("left out")
try:
    raise ValueError("why")
except ValueError:
    logging.getLogger("some.library").exception("failed")
"""


def test_lines_of_libraries_are_json_without_secrets_and_bounded() -> None:
    token = new_token()
    ended = subprocess.run(
        [sys.executable, "-c", _PROGRAM.replace("TOKEN", token)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    *lines, last = map(json.loads, ended.stderr.splitlines())
    assert [line["event"] for line in lines] == [f"request {number} of ***" for number in range(60)]
    assert {line["level"] for line in lines} == {"warning"}
    assert (last["event"], "ValueError: why" in last["exception"]) == ("failed", True)
