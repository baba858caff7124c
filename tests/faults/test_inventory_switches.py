"""Each switch of the simulated CardTrader against a real sync: always one whole snapshot.

One application, seller and database serve all tests of a kind; each test starts in step, and makes
a version of its own.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from penstock.access.vault import new_key
from penstock.app import open_app
from penstock.errors import (
    ConflictError,
    NotFoundError,
    PenstockError,
    RateLimitedError,
    SourceRefusedError,
    SourceUnavailableError,
)
from penstock.sources import cardtrader
from tests.databases import DATABASES
from tests.faults.unlisted import nothing_to_look_up
from tests.seller_builders import (
    KeptShop,
    Rows,
    differing,
    kept_shop,
    shop_settings,
    simulated_seller,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from pathlib import Path

    from tests.databases import Databases

pytestmark = pytest.mark.asyncio(loop_scope="module")

_PRODUCTS = 300
_SHORT_S = 0.3
Fault = dict[str, Any]


@contextlib.contextmanager
def short_pauses() -> Any:  # noqa: ANN401 - a context manager
    """A 429 of CardTrader means a pause of 10 s, because it says nothing; so long no test waits."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(cardtrader, "_PAUSE_S", 0.2)
        yield


@pytest_asyncio.fixture(params=DATABASES, scope="module", loop_scope="module")
async def kept(
    request: pytest.FixtureRequest, databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[KeptShop]:
    folder = tmp_path_factory.mktemp("switches")
    with short_pauses(), databases.fresh(request.param, folder) as url:
        async with (
            simulated_seller(_PRODUCTS) as seller,
            kept_shop(url, seller, folder / "exports", run_retry_s=0.001) as opened,
        ):
            await nothing_to_look_up(opened.app)
            retry_soon(opened)
            await in_step(opened)
            yield opened


def retry_soon(shop: KeptShop) -> None:
    """No event tells that a retry is due."""
    shop.app.executor._options = replace(shop.app.executor._options, poll_s=0.1)


def mostly_on_sqlite(cases: Iterable[str], *also_on_postgresql: str) -> pytest.MarkDecorator:
    """Cases on the wire: the database only has to leave a staging area early."""
    pairs = [("sqlite", case) for case in cases] + [
        ("postgresql", case) for case in also_on_postgresql
    ]
    return pytest.mark.parametrize(("kept", "case"), pairs, indirect=["kept"])


@pytest_asyncio.fixture(loop_scope="module")
async def shop(kept: KeptShop) -> AsyncIterator[KeptShop]:
    """In step before the test, and after it by an undisturbed sync, unless it is already."""
    yield kept
    await in_step(kept)


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


# ── What does not keep a sync from publishing ─────────────────────────────────

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
async def test_however_an_export_arrives_it_is_published_at_once(shop: KeptShop, case: str) -> None:
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
    assert again["result"]["message"] == f"Nothing changed, {len(after)} products are as they were"


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
async def test_what_passes_is_tried_again_and_then_the_whole_export_is_published(
    shop: KeptShop, case: str
) -> None:
    _, after = await edited(shop)
    await shop.seller.faults(*_PASSING[case])
    run = await shop.sync()
    assert (run["state"], run["attempt"], await shop.seller.exports()) == ("succeeded", 2, 2)
    assert run["result"]["rows"] == len(after)
    await shop.check(after)
    assert shop.left() == []


# ── What does ─────────────────────────────────────────────────────────────────

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
async def test_what_does_not_pass_fails_the_sync_with_its_reason_and_what_was_published_stays(
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
async def test_a_refused_token_ends_the_sync_at_once_and_says_what_to_do(
    shop: KeptShop, case: str
) -> None:
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
async def test_silence_is_waited_for_as_long_as_is_set_and_then_tried_again(
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
    async with simulated_seller(_PRODUCTS) as seller:
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
        # On a busy machine a proper answer can be late too: ask until it is there.
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


# ── Rows that cannot be read ──────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("kind", "reason"),
    [("malformed", "malformed"), ("missing_id", "malformed"), ("broken_json", "unreadable")],
)
async def test_a_bad_row_is_quarantined_with_its_text_and_without_an_id_keeps_all_from_being_gone(
    shop: KeptShop, kind: str, reason: str
) -> None:
    before, after = await edited(shop)
    bad = list(after)[170]
    await shop.seller.faults({"name": "bad_products", "kind": kind, "row": 170})
    run = await shop.sync()
    assert (run["state"], run["result"]["held"], run["rejected"]) == ("succeeded", False, 1)
    counts = run["result"]["counts"]
    missing = before.keys() - after.keys()
    assert missing
    gone = missing if kind == "malformed" else set()
    assert (
        counts["rejected"],
        counts["gone"],
        "nothing is marked as gone" in run["result"]["unread"],
    ) == (1, len(gone), not gone)
    [refused] = await shop.rows(
        "SELECT reason, detail, raw, product_id FROM product_quarantine WHERE run_id = :run",
        run=run["id"],
    )
    assert (refused["reason"], refused["product_id"] in {bad, None}) == (reason, True)
    assert after[bad]["name_en"][:5] in refused["raw"]
    assert refused["detail"]
    readable = {number: row for number, row in after.items() if number != bad}
    await shop.check(
        {number: one for number, one in (before | readable).items() if number not in gone}
    )


# ── What has to be decided ────────────────────────────────────────────────────

_STRANGE: dict[str, tuple[Fault, set[str]]] = {
    "an id twice": ({"kind": "duplicate", "row": 17}, {"duplicate_id"}),
    "another currency": ({"kind": "currency"}, {"currency"}),
    "some of another currency": ({"kind": "currency", "percent": 5}, {"currency"}),
    "30 percent fewer": ({"kind": "fewer"}, {"shrunk"}),
    "another seller": ({"kind": "another_seller"}, {"other_seller"}),
    "some of another seller": ({"kind": "another_seller", "percent": 1}, {"other_seller"}),
    "nothing": ({"kind": "empty"}, {"empty", "shrunk"}),
}
strange = pytest.mark.parametrize(("twist", "reasons"), _STRANGE.values(), ids=_STRANGE.keys())


async def held(
    shop: KeptShop, twist: Fault, reasons: set[str]
) -> tuple[dict[str, Any], Rows, Rows]:
    """A sync that is held, what is published, and what the export held."""
    before, _ = await edited(shop)
    await shop.seller.faults({"name": "bad_products"} | twist)
    run = await shop.sync()
    result = run["result"]
    assert (run["state"], run["attempt"], result["held"], set(result["suspicions"])) == (
        "succeeded",
        1,
        True,
        reasons,
    )
    assert result["message"] == f"Held: {' '.join(result['suspicions'].values())}"
    shown = await shop.shows(run)
    assert (shown.state, set(shown.suspicions)) == ("held", reasons)
    await shop.check(before)
    assert shop.left() == []
    return run, before, await shop.seller.sent()


async def check_diff(shop: KeptShop, run: dict[str, Any], before: Rows, after: Rows) -> None:
    """What was kept leads from the one to the other."""
    applied, counts = dict(before), dict.fromkeys(("new", "changed", "gone", "returned"), 0)
    for row in await shop.diff(run):
        counts[row.kind] += 1
        told = {name: getattr(row, name) for name in next(iter(before.values()))}
        if row.kind == "gone":
            assert applied.pop(row.product_id) == told
            continue
        was = applied.get(row.product_id, {})
        assert (row.product_id in before) == (row.kind == "changed")
        assert all(
            value == [was[name], told[name]]
            for name, value in row.changes.items()
            if row.kind == "changed" and name in was
        )
        applied[row.product_id] = told
    assert differing(applied, after) == {}
    assert counts == {name: run["result"]["counts"][name] for name in counts}


@strange
async def test_what_is_strange_is_held_readable_and_published_when_it_is_approved(
    shop: KeptShop, twist: Fault, reasons: set[str]
) -> None:
    run, before, after = await held(shop, twist, reasons)
    await check_diff(shop, run, before, after)
    await shop.store.approve(run["id"])
    await shop.check(after)
    assert (await shop.shows(run)).state == "published"
    with pytest.raises(ConflictError, match="published already"):
        await shop.store.approve(run["id"])


some_strange = pytest.mark.parametrize(
    ("twist", "reasons"),
    [_STRANGE["an id twice"], _STRANGE["30 percent fewer"]],
    ids=["duplicate", "fewer"],
)


@some_strange
async def test_what_is_rejected_changes_nothing(
    shop: KeptShop, twist: Fault, reasons: set[str]
) -> None:
    run, before, _ = await held(shop, twist, reasons)
    await shop.store.reject(run["id"])
    await shop.check(before)
    assert (await shop.shows(run)).state == "rejected"
    with pytest.raises(ConflictError, match="was rejected"):
        await shop.store.approve(run["id"])


@some_strange
async def test_a_newer_sync_takes_the_place_of_a_held_one(
    shop: KeptShop, twist: Fault, reasons: set[str]
) -> None:
    run, before, _ = await held(shop, twist, reasons)
    newer = await shop.sync(dry_run=True)
    assert (newer["result"]["held"], set(newer["result"]["suspicions"])) == (False, reasons)
    await shop.check(before)
    for decide in (shop.store.approve, shop.store.reject):
        with pytest.raises(ConflictError, match="newer sync"):
            await decide(run["id"])
    with pytest.raises(NotFoundError):
        await shop.diff(run)
    assert (await shop.shows(run)).state == "superseded"


@pytest.mark.parametrize("kind", ["duplicate", "another_seller"])
async def test_a_strange_first_import_is_held_too(
    database_url: str, tmp_path: Path, kind: str
) -> None:
    async with (
        simulated_seller(_PRODUCTS) as seller,
        kept_shop(database_url, seller, tmp_path / "exports") as shop,
    ):
        await nothing_to_look_up(shop.app, seller)
        await seller.faults({"name": "bad_products", "kind": kind})
        run = await shop.sync()
        assert run["result"]["held"]
        assert await shop.published() == {}
        await shop.store.approve(run["id"])
        await shop.check(await seller.sent())
        assert await shop.rows("SELECT * FROM product_history") == []
        await seller.faults()
        await shop.sync()
        await shop.check(await seller.rows())


# ── A seller who sells meanwhile ──────────────────────────────────────────────


async def test_stock_sold_while_the_export_is_written_is_published_as_sent_and_corrected_next_time(
    database_url: str, tmp_path: Path
) -> None:
    async with (
        simulated_seller(_PRODUCTS) as seller,
        kept_shop(database_url, seller, tmp_path / "exports") as shop,
    ):
        await nothing_to_look_up(shop.app, seller)
        await shop.sync()
        await seller.faults({"name": "sold", "percent": 30, "count": 1})
        run = await shop.sync()
        early, late = await seller.rows(1), await seller.rows(2)
        second_half = list(early)[_PRODUCTS // 2 :]
        mixed = {number: row for number, row in early.items() if number not in second_half}
        assert differing(early, late) != {}
        # What was sold out is missing; so few may be.
        assert not run["result"]["held"], run["result"]
        await shop.check(mixed | {number: late[number] for number in second_half if number in late})
        await shop.sync()
        await shop.check(late)


@pytest.mark.parametrize("percent", [0.5, 20, 100])
async def test_what_changed_between_two_exports_is_what_is_written(
    shop: KeptShop, percent: float
) -> None:
    before = await shop.published()
    version = await shop.seller.advance(changed=percent, returned=50)
    after = await shop.seller.rows(version)
    changed = {number for number in before if before[number] != after[number]}
    returned = after.keys() - before.keys()
    counts = (run := await shop.sync())["result"]["counts"]
    assert (counts["changed"], counts["returned"] + counts["new"], counts["gone"]) == (
        len(changed),
        len(returned),
        0,
    )
    noted = await shop.rows(
        "SELECT product_id FROM product_history WHERE run_id = :run", run=run["id"]
    )
    assert {row["product_id"] for row in noted} == changed | returned
    await shop.check(after)
