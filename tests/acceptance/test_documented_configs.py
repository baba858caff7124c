"""A seller who follows the README and then docs/configs.md keeps the schedule of the shop."""

from __future__ import annotations

import re
import shlex
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from penstock.access.vault import new_key
from penstock.simulator.server import SimulatorSettings, running
from tests.acceptance.commands import Penstock, Service
from tests.acceptance.terminal import on_a_terminal
from tests.house.sources import ROOT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

_SHOP = "shop"
_ADMIN = "/api/v1/admin/data-collection"


def _blocks(document: str) -> list[list[str]]:
    """The lines of each code block."""
    text = (ROOT / document).read_text(encoding="utf-8")
    blocks = re.findall(r"^```\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [block.splitlines() for block in blocks]


def _commands(document: str, named: str) -> list[list[str]]:
    """The commands of the first block with this text, word by word without comments."""
    [block, *_] = [lines for lines in _blocks(document) if named in "\n".join(lines)]
    return [shlex.split(line, comments=True) for line in block]


@pytest.fixture
async def seller(tmp_path: Path) -> AsyncIterator[Penstock]:
    """The program of a user with a token of CardTrader."""
    accounts = ("demo:50",)
    async with running(
        SimulatorSettings(symbols=12, accounts=accounts, expansions=2, limits=False)
    ) as url:
        yield Penstock(tmp_path).with_settings(
            binance_url=url, cardtrader_url=url, cardtrader_token="demo", secret_key=new_key()
        )


async def _follow_the_readme(penstock: Penstock) -> None:
    for words in _commands("README.md", "penstock accounts add shop"):
        assert words[0].endswith("penstock")
        ended = await penstock(*words[1:])
        assert ended.code == 0, ended


async def _shop(penstock: Penstock) -> dict[str, Any]:
    [found] = [
        config
        for config in (await penstock("config", "list", "--json")).json
        if config["symbol"] == _SHOP
    ]
    return dict(found)


async def test_the_commands_of_the_page_leave_the_shop_alone(seller: Penstock) -> None:
    await _follow_the_readme(seller)
    before = await _shop(seller)
    for words in _commands("docs/configs.md", "penstock config add SOL/USDT"):
        ended = await seller(*words[1:])
        assert ended.code == 0, (words, ended)
    assert await _shop(seller) == before
    assert len((await seller("config", "list", "--json")).json) == 1


async def _call(
    service: Service, words: list[str], variables: dict[str, str]
) -> dict[str, Any] | list[Any] | None:
    """Make the call of a line with curl; None for an answer without a body."""
    given = [word.replace("$A", variables["A"]).replace("$J", variables["J"]) for word in words[1:]]
    options = dict(pairwise(given))
    [url] = [word for word in given if word.startswith("http")]
    async with service.session.request(
        options.get("-X", "GET"),
        url.replace(variables["A"], _ADMIN),
        data=options.get("-d"),
        headers={"Content-Type": "application/json"} if "-d" in options else {},
    ) as answer:
        assert answer.ok, (words, await answer.text())
        found: dict[str, Any] | list[Any] | None = (
            None if answer.status == 204 else await answer.json()
        )
        return found


async def test_the_calls_of_the_page_leave_the_shop_alone(seller: Penstock) -> None:
    await _follow_the_readme(seller)
    before = await _shop(seller)
    lines = _commands("docs/configs.md", "curl -X POST $A/configs")
    variables = dict(words[0].split("=", 1) for words in lines if words[0] != "curl")
    async with seller.serving() as service:
        for words in lines:
            if words[0] == "curl":
                answer = await _call(service, words, variables)
                if isinstance(answer, dict) and "task_id" in answer:
                    await service.ended(answer["task_id"])
        assert await _shop(seller) == before
        assert len((await seller("config", "list", "--json")).json) == 1


async def test_the_default_schedule_is_listed_like_any_other_on_a_narrow_terminal(
    seller: Penstock,
) -> None:
    reason = "no market config; a seller's account is there"
    async with seller.serving():
        awake = await seller("config", "list")
        assert re.search(r"^ *default +binance .* every 5 min +yes +20", awake.out, re.MULTILINE)
        assert "50 most traded, without those of configs" in awake.out
        await _follow_the_readme(seller)
        asleep = await seller("config", "list")
        assert re.search(rf"^ *default .* asleep +{reason}$", asleep.out, re.MULTILINE)
        assert re.search(r"^1 +shop +cardtrader ", asleep.out, re.MULTILINE)
        listed = await seller("schedules")
        assert re.search(r"^collect_data_all .* asleep$", listed.out, re.MULTILINE)
        assert listed.err == f"asleep: {reason}\n"
        for words in (("config", "list"), ("schedules",)):
            async with on_a_terminal(seller, *words) as terminal:
                assert await terminal.ended() == 0, terminal.text
                lines = terminal.text.replace("\r\n", "\n").splitlines()
                assert [line for line in lines if len(line) > seller.columns] == []
                assert "asleep" in terminal.text


@pytest.mark.parametrize("words", [("schedules",), ("config", "list")])
async def test_commands_show_the_default_schedule_as_the_service_is_set(
    seller: Penstock, words: tuple[str, ...]
) -> None:
    await _follow_the_readme(seller)
    async with seller.with_settings(symbols="ETH/USDT").serving():
        awake = await seller(*words)
        assert "asleep" not in awake.out + awake.err
    assert await seller(*words) == awake
    async with seller.with_settings(symbols="none").serving():
        asleep = await seller(*words)
        assert "PENSTOCK_SYMBOLS is none" in asleep.out + asleep.err
