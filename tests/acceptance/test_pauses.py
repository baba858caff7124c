"""`penstock pauses`: shown, and lifted after a warning."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.acceptance.commands import put_faults
from tests.acceptance.terminal import on_a_terminal

if TYPE_CHECKING:
    from tests.acceptance.commands import Penstock

_COLLECT = ("collect", "BTC/USDT", "-t", "1h", "--limit", "5")


async def test_a_pause_is_shown_and_lifted_after_a_warning(
    penstock: Penstock, exchange: str
) -> None:
    nothing = await penstock("pauses")
    assert nothing.code == 4
    assert (await penstock(*_COLLECT)).code == 0
    await put_faults(
        exchange, {"name": "ban", "retry_after": 7_200, "count": 1, "path": "/api/v3/klines"}
    )
    banned = await penstock("collect", "ETH/USDT", "-t", "1h", "--limit", "5")
    assert banned.code == 4, banned
    listed = await penstock("pauses")
    assert listed.out.splitlines()[0].split() == ["provider", "until", "(UTC)", "left"]
    assert "119 minutes" in listed.out or "2 hours" in listed.out
    [pause] = (await penstock("pauses", "--json")).json

    unasked = await penstock("pauses", "lift", pause["provider"])
    assert (unasked.code, unasked.out) == (2, "")
    assert "No terminal; pass --yes" in unasked.err
    async with on_a_terminal(penstock, "pauses", "lift", pause["provider"]) as terminal:
        await terminal.shows(r"longer ban")
        await terminal.shows(r"again\? \[y/N\]")
        terminal.types("n\n")
        assert await terminal.ended() == 0
        assert "the pause stays" in terminal.text
        lines = terminal.text.replace("\r\n", "\n").splitlines()
        assert [line for line in lines if len(line) > penstock.columns] == []
    assert len((await penstock("pauses", "--json")).json) == 1

    lifted = await penstock("pauses", "lift", pause["provider"], "--yes")
    assert lifted.code == 0, lifted
    assert lifted.out.startswith(f"requests go to {pause['provider']} again; ")
    assert (await penstock("pauses")).err == "no provider is paused\n"
    assert (await penstock("collect", "ETH/USDT", "-t", "1h", "--limit", "5")).code == 0
    again = await penstock("pauses", "lift", "binance", "--yes")
    assert (again.code, "is not paused; no provider is" in again.complaint) == (2, True)
