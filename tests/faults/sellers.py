"""Syncs with a seller whose simulated CardTrader has faults.

One application, seller and database serve all tests of a module; each test starts with a table
that equals the export, and creates its own version.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from penstock.sources import cardtrader
from tests.seller_builders import KeptShop, Rows, differing

if TYPE_CHECKING:
    from collections.abc import Iterable

PRODUCTS = 300
Fault = dict[str, Any]


@contextlib.contextmanager
def short_pauses() -> Any:  # noqa: ANN401 - a context manager
    """Shorten the pause of 10 s after a 429 of CardTrader, which sends no Retry-After."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(cardtrader, "_PAUSE_S", 0.2)
        yield


def retry_soon(shop: KeptShop) -> None:
    """Poll often, because no event announces that a retry is due."""
    shop.app.executor.options = replace(shop.app.executor.options, poll_s=0.1)


def mostly_on_sqlite(cases: Iterable[str], *also_on_postgresql: str) -> pytest.MarkDecorator:
    """Cases of transfers: the database only has to leave a staging area early."""
    pairs = [("sqlite", case) for case in cases] + [
        ("postgresql", case) for case in also_on_postgresql
    ]
    return pytest.mark.parametrize(("kept", "case"), pairs, indirect=["kept"])


async def in_step(shop: KeptShop) -> None:
    """Make the table equal the export by an undisturbed sync."""
    await shop.seller.faults()
    if shop.left() == [] and differing(await shop.published(), await shop.seller.rows()) == {}:
        return
    run = await shop.sync()
    if run["result"]["held"]:
        # Only an earlier approval can make a good export suspicious.
        await shop.store.approve(run["id"])
    await shop.check(await shop.seller.rows())
    assert (run["state"], shop.left()) == ("succeeded", [])


async def edited(shop: KeptShop) -> tuple[Rows, Rows]:
    """The published rows, and those of the next version of the seller's inventory."""
    before = await shop.published()
    await shop.seller.advance(changed=10, gone=2, new=3, returned=50, sold=2)
    after = await shop.seller.rows()
    assert differing(before, after) != {}
    return before, after
