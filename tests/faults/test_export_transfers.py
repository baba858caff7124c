"""Whatever fault a transfer has, one whole snapshot is published, or none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from penstock.access.vault import new_key
from penstock.app import open_app
from penstock.errors import (
    PenstockError,
    RateLimitedError,
    SourceRefusedError,
    SourceUnavailableError,
)
from tests.faults.sellers import PRODUCTS, Fault, edited, mostly_on_sqlite, retry_soon
from tests.faults.unlisted import nothing_to_look_up
from tests.seller_builders import KeptShop, kept_shop, shop_settings, simulated_seller

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.asyncio(loop_scope="module")
_SHORT_S = 0.3
_FRAMINGS = ("length", "chunked", "close")
_ARRIVALS: dict[str, list[Fault]] = {
    "late": [{"name": "latency", "ms": 300}],
    "slowly": [{"name": "throttle", "bytes_per_s": 400_000}],
    "wrapped": [{"name": "array"}],
    "with fields that nobody knows": [{"name": "bad_products", "kind": "unknown_field"}],
    **{
        f"framed by {framing}{', packed' * packed}": [
            {"name": "framing", "kind": framing},
            {"name": "gzip", "probability": int(packed)},
        ]
        for framing in _FRAMINGS
        for packed in (False, True)
    },
}


@mostly_on_sqlite(_ARRIVALS, "late", "slowly")
async def test_an_export_is_published_at_once_in_whatever_form_it_arrives(
    shop: KeptShop, case: str
) -> None:
    _, after = await edited(shop)
    await shop.seller.faults(*_ARRIVALS[case])
    run = await shop.sync()
    assert (run["state"], run["attempt"], run["error"], await shop.seller.exports()) == (
        "succeeded",
        1,
        None,
        1,
    )
    assert (run["result"]["rows"], run["result"]["suspicions"], run["result"]["held"]) == (
        len(after),
        {},
        False,
    )
    assert (await shop.shows(run)).state == "published"
    await shop.check(after)
    assert shop.left() == []
    again = await shop.sync()
    assert again["result"]["message"] == f"Nothing changed: {len(after)} products up to date"


def _cut(framing: str, *, packed: bool, framed: bool, at: int) -> list[Fault]:
    return [
        {"name": "cut", "at": at, "framed": framed, "count": 1},
        {"name": "framing", "kind": framing},
        {"name": "gzip", "probability": int(packed)},
    ]


_PASSING: dict[str, list[Fault]] = {
    "HTML with 502": [{"name": "server_error", "code": 502, "count": 1}],
    "HTML with 200": [{"name": "html", "status": 200, "count": 1}],
    "404, not ready": [{"name": "not_ready", "count": 1}],
    "429": [{"name": "rate_limit", "count": 1}],
    "503": [{"name": "server_error", "code": 503, "count": 1}],
} | {
    f"a cut, {framing}{', packed' * packed}{', hidden' * framed}": _cut(
        framing, packed=packed, framed=framed, at=at
    )
    for at, framing in zip((1_000, -1, 20_000), _FRAMINGS, strict=True)
    for packed in (False, True)
    for framed in (False, True)
}


@mostly_on_sqlite(
    _PASSING, "503", "a cut, length", "a cut, chunked, packed, hidden", "a cut, close, packed"
)
async def test_after_temporary_faults_the_whole_export_is_published(
    shop: KeptShop, case: str
) -> None:
    _, after = await edited(shop)
    await shop.seller.faults(*_PASSING[case])
    run = await shop.sync()
    assert (run["state"], run["attempt"], await shop.seller.exports()) == ("succeeded", 2, 2)
    assert run["result"]["rows"] == len(after)
    await shop.check(after)
    assert shop.left() == []


_LASTING: dict[str, tuple[list[Fault], type[PenstockError], str]] = {
    "HTML with 502": ([{"name": "server_error", "code": 502}], SourceUnavailableError, "HTTP 502"),
    "HTML with 200": (
        [{"name": "html", "status": 200}],
        SourceUnavailableError,
        "the export is an HTML page",
    ),
    "404, not ready": ([{"name": "not_ready"}], SourceUnavailableError, "Data is not ready"),
    "429": (
        [{"name": "rate_limit"}],
        RateLimitedError,
        "Too many requests: max 200 requests per 10 seconds",
    ),
    "a cut, length": (
        [{"name": "cut", "at": 70_000}, {"name": "framing", "kind": "length"}],
        SourceUnavailableError,
        "the answer was cut",
    ),
    "a cut, chunked": (
        [{"name": "cut", "at": -1}, {"name": "framing", "kind": "chunked"}],
        SourceUnavailableError,
        "the answer was cut",
    ),
    "a cut, close": (
        [{"name": "cut", "at": 70_000}, {"name": "framing", "kind": "close"}],
        SourceUnavailableError,
        "the export was cut",
    ),
    "a cut, packed": (
        [{"name": "cut", "at": -4}, {"name": "framing", "kind": "close"}, {"name": "gzip"}],
        SourceUnavailableError,
        "its gzip end marker is missing",
    ),
}


@mostly_on_sqlite(_LASTING, "HTML with 502", "a cut, length", "a cut, packed")
async def test_permanent_faults_fail_the_sync_with_their_reason_and_publish_nothing(
    shop: KeptShop, case: str
) -> None:
    faults, error, says = _LASTING[case]
    before, _ = await edited(shop)
    await shop.seller.faults(*faults)
    run = await shop.sync()
    assert (run["state"], run["attempt"], await shop.seller.exports()) == ("failed", 2, 2)
    assert says in run["error"]
    assert (run["result"], error.exit_code) == ({"error_codes": {error.code: 1}}, 4)
    assert (await shop.shows(run)).state is None
    await shop.check(before)
    assert shop.left() == []


_REFUSED: dict[str, Fault] = {
    "401": {"name": "unauthorized", "code": 401},
    "403": {"name": "unauthorized", "code": 403},
    "HTML with 403": {"name": "html", "status": 403},
}


@mostly_on_sqlite(_REFUSED, "401")
async def test_a_refused_token_ends_the_sync_at_once_with_a_hint(shop: KeptShop, case: str) -> None:
    before, _ = await edited(shop)
    await shop.seller.faults(_REFUSED[case])
    run = await shop.sync()
    assert (run["state"], run["attempt"], await shop.seller.exports()) == ("failed", 1, 1)
    assert (run["result"], SourceRefusedError.exit_code) == (
        {"error_codes": {"source_refused": 1}},
        3,
    )
    assert "set a new one" in run["error"]
    await shop.check(before)
    assert shop.left() == []


@pytest.mark.parametrize("where", ["the first byte", "the middle"])
async def test_a_silent_export_is_retried_after_the_configured_time(
    sqlite_database: str, tmp_path: Path, where: str
) -> None:
    silent = (
        {"name": "hang"}
        if where == "the first byte"
        else {"name": "slow", "bytes": 50_000, "pause_ms": 600_000}
    )
    limits = {
        "export_first_byte_s": _SHORT_S,
        "export_idle_s": _SHORT_S,
        "run_retry_s": 0.001,
        "secret_key": new_key(),
    }
    async with simulated_seller(PRODUCTS) as seller:
        async with kept_shop(sqlite_database, seller, tmp_path / "exports", **limits) as shop:
            retry_soon(shop)
            await seller.faults(silent)
            run = await shop.sync()
            assert (run["state"], run["attempt"]) == ("failed", 2)
            assert run["result"] == {"error_codes": {"source_unavailable": 1}}
            setting = (
                "PENSTOCK_EXPORT_FIRST_BYTE_S"
                if where == "the first byte"
                else "PENSTOCK_EXPORT_IDLE_S"
            )
            assert f"no data for {_SHORT_S:g} s ({setting})" in run["error"]
            assert await shop.published() == {}
        # On a busy machine a good answer can be late too: sync until it succeeds.
        async with (
            open_app(
                shop_settings(
                    sqlite_database, seller, tmp_path / "exports", run_attempts=100, **limits
                )
            ) as app,
            app.working(),
        ):
            later = KeptShop(app, seller, shop.account_id, tmp_path / "exports")
            retry_soon(later)
            await nothing_to_look_up(app, seller)
            await seller.faults(silent | {"count": 1})
            run = await later.sync()
            assert (run["state"], run["attempt"], await seller.exports()) == (
                "succeeded",
                run["attempt"],
                run["attempt"],
            )
            assert run["attempt"] >= 2
            await later.check(await seller.rows())
            assert later.left() == []
