"""Wrong settings, variables and files, as a person at a terminal sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.acceptance.commands import Penstock

_LONG = "9" * 5_000


@pytest.mark.parametrize("command", ["serve", "doctor", "collect BTC/USDT -t 1h"])
async def test_all_wrong_settings_are_refused_at_the_start_one_line_each(
    penstock: Penstock, command: str
) -> None:
    wrong = penstock.with_settings(timeframes="1m,1x", secret_key="short", port="high")
    ended = await wrong(*command.split())
    assert (ended.code, ended.out) == (2, "")
    lines = ended.err.splitlines()
    assert [line.split(": ")[:2] for line in lines] == [
        ["penstock", "PENSTOCK_TIMEFRAMES"],
        ["penstock", "PENSTOCK_PORT"],
        ["penstock", "PENSTOCK_SECRET_KEY"],
    ]
    assert not penstock.data.exists()


async def test_a_misspelt_variable_gives_a_warning_and_nothing_else(penstock: Penstock) -> None:
    ended = await penstock.with_settings(timeframe="1h")("migrate")
    assert ended.code == 0
    assert ended.err == (
        "penstock: warning: PENSTOCK_TIMEFRAME is not a setting; "
        "did you mean PENSTOCK_TIMEFRAMES?\n"
    )


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("symbol: 2026-13-45", "symbol"),
        ("symbol: BTC/USDT\n    interval_minutes: 2026-13-45", "interval_minutes"),
        (f"symbol: BTC/USDT\n    interval_minutes: {_LONG}", "interval_minutes"),
        (f"symbol: BTC/USDT\n    interval_minutes: -{_LONG}", "interval_minutes"),
        (f"symbol: BTC/USDT\n    interval_minutes: 0x{_LONG}", "interval_minutes"),
        (f"symbol: BTC/USDT\n    interval_minutes: {'1:' * 2_500}1", "interval_minutes"),
        (f"symbol: BTC/USDT\n    interval_minutes: {'1:' * 2_500}1.5", "interval_minutes"),
        (f"symbol: BTC/USDT\n    interval_minutes: {_LONG}.5", "interval_minutes"),
        ("symbol: BTC/USDT\n    interval_minutes: !!int x", "interval_minutes"),
        ("symbol: BTC/USDT\n    enabled: !!bool x", "enabled"),
        ("symbol: BTC/USDT\n    interval_minutes: !!timestamp x", "interval_minutes"),
    ],
)
async def test_a_value_that_python_cannot_read_is_refused_by_the_name_of_its_field(
    penstock: Penstock, tmp_path: Path, line: str, field: str
) -> None:
    file = tmp_path / "configs.yaml"
    file.write_text(f"configs:\n  - exchange: binance\n    timeframes: [1h]\n    {line}\n")
    refused = await penstock("apply", "-f", str(file))
    assert refused.code in {2, 4}
    assert field in refused.complaint
    assert len(refused.complaint) < 400


async def test_a_number_of_many_digits_is_refused_in_one_short_line(penstock: Penstock) -> None:
    commands = [
        f"candles BTC/USDT -t 1h --limit {_LONG}",
        f"candles BTC/USDT -t 1h --from {_LONG}",
        "candles BTC/USDT -t 1h --from 2026-13-45",
        f"config add BTC/USDT --every {_LONG}",
        f"token create --name me --scope read --expires {_LONG}d",
        f"serve --port {_LONG}",
    ]
    for command, refused in zip(commands, await penstock.all_of(*commands), strict=True):
        assert refused.code == 2, command
        assert len(refused.complaint) < 1_100, command
