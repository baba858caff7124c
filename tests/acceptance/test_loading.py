"""What a command imports: a large part of its cost, but not visible in its own code."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

_RUN = """
import json, os, sys

from penstock.__main__ import main

report = os.fdopen(int(sys.argv.pop(1)), "w")
try:
    main()
except SystemExit as left:
    structlog = sys.modules.get("structlog")
    configured = structlog is None or structlog.is_configured()
    json.dump([left.code, configured, list(sys.modules)], report)
"""
_NOT_FOR_HELP = {
    "aiohttp",
    "alembic",
    "asyncio",
    "cryptography",
    "fastapi",
    "msgspec",
    "penstock.settings",
    "psycopg",
    "pydantic",
    "sqlalchemy",
    "structlog",
}
_NOT_FOR_READING = {
    "aiohttp",
    "alembic",
    "cryptography",
    "fastapi",
    "penstock.app",
    "penstock.domains.declared",
    "psycopg",
    "rich.traceback",
    "structlog",
}
_NOT_FOR_CALLING = {
    "alembic",
    "cryptography",
    "fastapi",
    "penstock.app",
    "penstock.domains.declared",
    "psycopg",
    "rich.traceback",
    "structlog",
}


class _Ended(NamedTuple):
    code: int
    logs_as_told: bool
    loaded: set[str]


async def _ended(words: str, file: Path) -> _Ended:
    """The exit code of a command and the modules that it imported, directly or indirectly."""
    report = file.with_name("report.json")
    with report.open("wb") as opened:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", _RUN, str(opened.fileno()), *words.split()),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            pass_fds=[opened.fileno()],
            env=os.environ | {"PENSTOCK_DATABASE_URL": f"sqlite:///{file}", "PENSTOCK_PORT": "9"},
        )
        _, complaint = await process.communicate()
    assert b"Traceback" not in complaint
    code, logs_as_told, loaded = json.loads(report.read_bytes())
    return _Ended(code, logs_as_told, set(loaded))


async def test_help_loads_no_command_and_no_heavy_package(tmp_path: Path) -> None:
    ended = await _ended("--help", tmp_path / "none.db")
    assert ended.code == 0
    assert ended.loaded & _NOT_FOR_HELP == set()
    listed = {name for name in ended.loaded if name.startswith("penstock.cli.")}
    assert listed == {
        f"penstock.cli.{name}"
        for name in ("exit_codes", "index", "loading", "main", "shown", "shown.help", "shown.text")
    }


async def test_a_command_loads_only_what_it_needs_and_its_output_has_no_log_lines(
    tmp_path: Path,
) -> None:
    file = tmp_path / "penstock.db"
    made = await _ended("token create --name reader --scope read", file)
    assert (made.code, made.logs_as_told) == (0, True)
    assert {"alembic", "penstock.app", "structlog"} <= made.loaded
    again = await _ended("token create --name another --scope read", file)
    assert (again.code, "alembic" in again.loaded) == (0, False)
    for reading in ("candles BTC/USDT -t 1h", "products", "history 1", "schedules", "pauses"):
        ended = await _ended(reading, file)
        assert ended.code in {0, 2}, reading
        assert ended.loaded & _NOT_FOR_READING == set(), reading
    calling = await _ended("tasks", file)
    assert (calling.code, calling.loaded & _NOT_FOR_CALLING) == (4, set())
