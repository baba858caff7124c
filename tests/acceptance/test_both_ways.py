"""Each changing command, in its own process and through a service: same exit codes and fields."""

from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.commands import put_faults
from tests.acceptance.seller import TOKEN, a_seller

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.acceptance.commands import Ended, Penstock
    from tests.acceptance.seller import Seller

_CONFIGS = "configs:\n  - {symbol: BNB/USDT, timeframes: [1h], interval_minutes: 15}\n"
_ERROR = {"name": "server_error", "path": "/api/v3/klines", "symbol": "ETHUSDT"}
# Each command with its exit code.
Walk = list[tuple[str, int]]

_MARKET: Walk = [
    ("collect BTC/USDT -t 1h,1d --limit 10 --json", 0),
    ("collect BTC/USDT ETH/USDT -t 1h --limit 10 --json", 6),
    ("collect ETH/USDT -t 1h", 4),
    ("collect BTCUSTD -t 1h", 2),
    ("config add BTC/USDT -t 1h --json", 0),
    ("config add BTC/USDT -t 1h", 5),
    ("config add BNB/USDT -t 1h --dry-run --json", 0),
    ("config edit 1 --every 20 --json", 0),
    ("config disable 1 --json", 0),
    ("config enable 1", 0),
    ("config trigger 1 --json", 0),
    ("config trigger 7", 2),
    ("apply -f configs.yaml --json", 0),
    ("config remove 1", 0),
    ("config remove 1", 2),
    ("verify --json", 0),
    ("verify --repair", 0),
    ("verify SOL/USDT", 2),
    ("alert targets add mine https://example.org/ --signing-key a-key-of-my-own-making", 0),
    ("alert targets remove 1", 0),
    ("alert targets remove 1", 2),
    ("token revoke 9", 2),
    ("token create --name mine --scope admin", 0),
]
_INVENTORY: Walk = [
    ("accounts add shop --json", 0),
    ("accounts add shop", 5),
    ("accounts edit shop --name store --json", 0),
    ("sync store --dry-run --json", 0),
    ("reject store --json", 0),
    ("approve store", 5),
    ("sync store --dry-run", 0),
    ("approve store --json", 0),
    ("sync store", 0),
    ("config add store --exchange cardtrader --json", 0),
    ("config trigger 1 --json", 0),
    ("config trigger 1", 0),
    ("catalog upload cards.csv --json", 0),
    ("catalog upload broken.csv", 2),
    ("accounts remove store --yes", 5),
    ("config remove 1", 0),
    ("accounts remove store --yes", 0),
]


async def _walked(penstock: Penstock, walk: Walk) -> list[tuple[str, int, object, str]]:
    """The output of each command without its own numbers, names and times."""
    said = []
    for words, _ in walk:
        ended = await penstock(*words.split())
        said.append((words, ended.code, _shape(ended), _plain(ended.err)))
    return said


def _shape(ended: Ended) -> object:
    """The fields of a JSON object with the types of their values; else the words of the text."""
    try:
        fields = json.loads(ended.out)
    except ValueError:
        return _plain(ended.out)
    return {name: type(value).__name__ for name, value in fields.items()}


def _plain(text: str) -> str:
    place = r"sqlite:///\S+?\.db(, by the service at \S+)?"
    ours = rf"{place}|pst_\w+|[0-9a-f]{{8}}-[0-9a-f-]{{27}}|20\d\d-\d\d-\d\d[T ]\S+|[\d.,]+"
    # In a service the lookup of published blueprints is a separate run.
    return re.sub(ours, "…", re.sub(r"looking up the .*\n", "", text))


async def _both(penstock: Penstock, walk: Walk) -> None:
    """Without and with a service, each on a separate database."""
    alone, beside = (
        penstock.with_settings(database_url=f"sqlite:///{penstock.folder}/{name}.db")
        for name in ("alone", "beside")
    )
    async with beside.serving():
        here, there = await asyncio.gather(_walked(alone, walk), _walked(beside, walk))
    assert [(words, code) for words, code, *_ in here] == walk
    for answer, other in zip(here, there, strict=True):
        assert answer == other


@pytest.fixture
def impatient(penstock: Penstock) -> Penstock:
    return penstock.with_settings(run_attempts="1", alert_private_targets="true")


async def test_commands_for_candles_configs_alerts_and_tokens_act_the_same_both_ways(
    impatient: Penstock, exchange: str
) -> None:
    await put_faults(exchange, _ERROR)
    (impatient.folder / "configs.yaml").write_text(_CONFIGS, encoding="utf-8")
    await _both(impatient, _MARKET)


@pytest.fixture
async def seller(penstock: Penstock, sqlite_database: str) -> AsyncIterator[Seller]:
    async with a_seller(penstock, sqlite_database) as seller:
        yield seller


async def test_commands_for_inventories_act_the_same_both_ways(
    seller: Seller, tmp_path: Path
) -> None:
    (tmp_path / "cards.csv").write_text("sku,name\nA-1,Lightning Bolt\n", encoding="utf-8")
    (tmp_path / "broken.csv").write_text("name\nLightning Bolt\n", encoding="utf-8")
    await _both(seller.penstock.with_settings(cardtrader_token=TOKEN), _INVENTORY)
