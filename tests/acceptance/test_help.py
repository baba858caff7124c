"""The help of the program, and how it refuses unknown words."""

from __future__ import annotations

import asyncio
import re
import shlex
import signal
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from penstock import __version__
from penstock.cli.exit_codes import EXIT_CODES

if TYPE_CHECKING:
    from tests.acceptance.commands import Penstock

_COLLECT = ("collect", "BTC/USDT", "-t", "1h")


async def test_help_names_every_exit_code_and_a_missing_command_is_bad_input(
    penstock: Penstock,
) -> None:
    version, asked, nothing, collect = await penstock.all_of(
        "--version", "--help", "", "collect --help"
    )
    assert (version.code, version.out) == (0, f"{__version__}\n")
    assert asked.code == 0
    for code, meaning in EXIT_CODES.items():
        assert f"{code}  {meaning}" in asked.out
    assert "--no-version" not in asked.out
    assert (nothing.code, nothing.out.split()) == (2, asked.out.split())
    assert "[default: (100)]" in collect.out
    assert "PENSTOCK_DATABASE_URL" in collect.out


@pytest.mark.parametrize(
    "loaded", ["penstock.cli.main", "penstock.cli.commands.market.collect", "penstock.app"]
)
async def test_ctrl_c_while_the_program_loads_ends_it_silently(loaded: str) -> None:
    pressed = """
import os, signal, sys

loaded = sys.argv.pop(1)
# As under a terminal: tests started in the background of a shell ignore it, and so do children.
signal.signal(signal.SIGINT, signal.default_int_handler)

class Pressing:
    def find_spec(self, name, *_):
        if name == loaded:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Pressing())
from penstock.__main__ import main
main()
"""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", pressed, loaded, *_COLLECT, stderr=asyncio.subprocess.PIPE
    )
    _, complaint = await process.communicate()
    assert (process.returncode, complaint) == (-signal.SIGINT, b"")


async def test_a_group_without_a_command_shows_its_help_and_no_error(
    penstock: Penstock,
) -> None:
    for ended in await penstock.all_of("catalog", "config", "token"):
        assert (ended.code, ended.err, "Usage: penstock " in ended.out) == (2, "", True)


async def test_an_unknown_word_is_refused_in_one_line_that_points_to_the_help(
    penstock: Penstock,
) -> None:
    refused = {
        "colect BTC/USDT": "see penstock --help",
        "collect BTC/USDT --timefram 1m": "see penstock collect --help",
        "candles BTC/USDT -t 1h --limit many": "see penstock candles --help",
    }
    for command, ended in zip(refused, await penstock.all_of(*refused), strict=True):
        assert ended.code == 2, command
        assert ended.complaint.endswith(refused[command])


async def test_short_help_equals_long_help_and_shows_no_python_types(penstock: Penstock) -> None:
    short, long, group = await penstock.all_of("collect -h", "collect --help", "config -h")
    assert short.out == long.out
    assert "Usage: penstock collect [OPTIONS] SYMBOL..." in short.out
    for shown in (short.out, group.out):
        assert "Examples:\n   penstock " in re.sub(" +\n", "\n", shown)
        assert not re.search(r"<bool>|<str>|list\[|\[\[", shown)


async def test_a_shell_completes_commands_and_options(penstock: Penstock) -> None:
    async def completed(words: str, at: int) -> set[str]:
        asked = {"_PENSTOCK_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(at)}
        return set((await replace(penstock, environment=asked)()).out.split())

    assert {"collect", "config", "coverage"} <= await completed("penstock co", 1)
    assert {"--since", "--timeframe"} <= await completed("penstock collect --", 2)


async def test_a_refused_value_is_named_by_its_option_not_by_its_api_field(
    penstock: Penstock,
) -> None:
    refused = await penstock("config", "add", "BTC/USDT", "-t", "1h", "--every", "0")
    assert (refused.code, refused.complaint[:9]) == (2, "--every: ")
    both = "config add BTC/USDT -t 1h --every 5 --cron '0 * * * *'"
    refused = await penstock(*shlex.split(both))
    assert refused.code == 2
    assert "--every" in refused.complaint
    assert "interval_minutes" not in refused.complaint


async def test_a_wrong_setting_is_named(penstock: Penstock) -> None:
    ended = await penstock.with_settings(port="high")("serve")
    assert ended.code == 2
    assert ended.complaint.startswith("PENSTOCK_PORT: Input should be")
