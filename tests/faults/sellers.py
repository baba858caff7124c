"""Syncs with a seller whose simulated CardTrader has faults.

One application, seller and database serve all tests of a module; each test starts in step, and
makes a version of its own.
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
    """A 429 of CardTrader means a pause of 10 s, because it says nothing; so long no test waits."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(cardtrader, "_PAUSE_S", 0.2)
        yield


def retry_soon(shop: KeptShop) -> None:
    """No event tells that a retry is due."""
    shop.app.executor.options = replace(shop.app.executor.options, poll_s=0.1)


def mostly_on_sqlite(cases: Iterable[str], *also_on_postgresql: str) -> pytest.MarkDecorator:
    """Cases on the wire: the database only has to leave a staging area early."""
    pairs = [("sqlite", case) for case in cases] + [
        ("postgresql", case) for case in also_on_postgresql
    ]
    return pytest.mark.parametrize(("kept", "case"), pairs, indirect=["kept"])


async def in_step(shop: KeptShop) -> None:
    """An undisturbed sync makes the table equal the export, whatever was before."""
    await shop.seller.faults()
    if shop.left() == [] and differing(await shop.published(), await shop.seller.rows()) == {}:
        return
    run = await shop.sync()
    if run["result"]["held"]:
        # Only what was approved before can make a good export strange.
        await shop.store.approve(run["id"])
    await shop.check(await shop.seller.rows())
    assert (run["state"], shop.left()) == ("succeeded", [])


async def edited(shop: KeptShop) -> tuple[Rows, Rows]:
    """What is published, and what the next version of the seller's inventory holds."""
    before = await shop.published()
    await shop.seller.advance(changed=10, gone=2, new=3, returned=50, sold=2)
    after = await shop.seller.rows()
    assert differing(before, after) != {}
    return before, after
