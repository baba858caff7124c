"""Exports that are cut, damaged or not exports at all are always noticed."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import random
import threading
import zlib
from typing import TYPE_CHECKING, cast

import pytest

from penstock.errors import SourceMisfitError, SourceUnavailableError
from penstock.http import elements
from penstock.inventory.export import reader
from penstock.inventory.export import rows as export_rows
from penstock.inventory.export.pipeline import MOST_BYTES, PackedReader, stage
from penstock.inventory.export.rows import MOST_ROW_BYTES
from tests.inventory_builders import body_of, row
from tests.unit.exports import SEVERAL_WINDOWS, large, read

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from penstock.inventory.product import Product, RejectedRow
    from penstock.inventory.store import Staging
    from tests.conftest import Say
    from tests.trials import Trials


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("packed", [False, True])
def test_random_cuts_are_all_noticed(
    trials: Trials, say: Say, *, packed: bool, wrapped: bool
) -> None:
    rows = large(60, hub={"shelf": [{"id": 1}, {"id": 2}]})
    # Also a row whose window has to be read row by row.
    rows[30]["price_cents"] = "1"
    plain = body_of(rows)
    plain = b'{"array":' + plain + b"}" if wrapped else plain
    body = zlib.compress(plain, 1, wbits=31) if packed else plain
    chance = random.Random(trials.seed)
    after_brackets = [at + 1 for at, byte in enumerate(plain[:-1]) if byte in b"]}"]
    cuts = {chance.randrange(len(body)) for _ in range(trials.of(100, 1_000))} | {
        0,
        1,
        len(body) - 1,
    }
    if not packed:
        cuts |= set(chance.sample(after_brackets, trials.of(50, 300)))
    for cut in cuts:
        with pytest.raises(SourceUnavailableError):
            read(body[:cut], packed=packed)
    say(f"seed {trials.seed}, n = {len(cuts)} cuts, packed {packed}, wrapped {wrapped}")


@pytest.mark.parametrize("part", [1, 2, 5, 8, 20])
def test_a_cut_in_the_last_window_of_a_large_export_is_noticed(part: int) -> None:
    body = body_of(SEVERAL_WINDOWS)
    for cut in (len(body) * part // 21, len(body) - part):
        with pytest.raises(SourceUnavailableError):
            read(body[:cut])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"null",
        b"<html><body>502 Bad Gateway</body></html>",
        b'{"error_code":"not_found","errors":[]}',
        b'{"products":[]}',
        b"{" * 100,
        b"[[[",
        b"[]]",
        b"[][]",
        b'{"array":[]',
        b'{"array":[]}}',
        b"[1,2",
        body_of([row(1)]) + body_of([row(2)]),
        body_of([row(1)]) + b"{}",
        body_of([row(1)])[:-1] + b"}",
        b"[" + b" " * 400_000,
        b"\xff\xfe" * 200,
    ],
    ids=range(18),
)
def test_a_body_that_is_no_whole_array_is_an_error_that_can_be_retried(body: bytes) -> None:
    with pytest.raises(SourceUnavailableError):
        read(body)


def test_an_endless_row_does_not_fill_the_memory() -> None:
    packed = PackedReader(gzip=False)
    fed = 0
    with contextlib.suppress(SourceUnavailableError):
        for fed in range(0, 10 * MOST_ROW_BYTES, 10_000):
            list(packed.feed(b"a" * 10_000 if fed else b'[{"id":1,"name_en":"'))
    assert fed <= MOST_ROW_BYTES + 20_000


def test_data_after_a_compressed_body_is_noticed() -> None:
    whole = gzip.compress(body_of([row(1)]))
    for rest in (b"x", b"\0" * 20, gzip.compress(b"[]")):
        with pytest.raises(SourceUnavailableError):
            read(whole + rest, packed=True)
    assert (
        len(read(gzip.compress(b"[") + gzip.compress(body_of([row(1)])[1:]), packed=True)[0]) == 1
    )


def test_one_wrong_byte_in_a_compressed_body_is_noticed() -> None:
    body = bytearray(gzip.compress(body_of(SEVERAL_WINDOWS[:50])))
    body[-6] ^= 1
    with pytest.raises(SourceUnavailableError):
        read(bytes(body), packed=True)


def test_a_body_that_unpacks_to_too_much_is_refused_long_before_its_end() -> None:
    packed = PackedReader(gzip=True)
    bomb = zlib.compress(b"[" + b" " * 60_000_000, 9, wbits=31)
    with pytest.raises(SourceUnavailableError, match="times its size"):
        list(packed.feed(bomb))


_PRODUCT = body_of([row(1)])[1:-1]
# Each begins as a row might, in a way that another search or another parser could try again and
# again. With a product behind each of them the export goes on.
HOSTILE = {
    "braces": b",{",
    "names": b',{"',
    "open members": b',{"a":',
    "open lists": b'{"a":[1,',
    "open lists in objects": b',{"a":[{"b":"' + b"c" * 50 + b'","d":[1,',
    "small objects": b',{"":0} ',
    "small rows": b"0,",
    "brackets": b"[",
    "quotes": b'"',
    "backslashes": b"\\",
    "escapes in a text": b'{"name_en":"' + b'\\"' * 500,
    "blanks": b", \n ",
    "a text as a row": b'"},{",',
}


@pytest.mark.parametrize("goes_on", [False, True], ids=["to its end", "with products"])
@pytest.mark.parametrize("pattern", HOSTILE.values(), ids=HOSTILE.keys())
def test_reading_takes_work_in_proportion_to_the_length(
    pattern: bytes, monkeypatch: pytest.MonkeyPatch, *, goes_on: bool
) -> None:
    work = 0
    walk = elements.walk

    def counted(text: bytes, at: int) -> tuple[int, bool]:
        nonlocal work
        end, whole = walk(text, at)
        # To begin costs as much as reading about a hundred bytes.
        work += 100 + end - at
        return end, whole

    monkeypatch.setattr(export_rows, "walk", counted)
    for module in (export_rows, reader):
        monkeypatch.setattr(module, "MOST_ROW_BYTES", 100_000)
    for size in (100_000, 400_000):
        work = 0
        part = pattern * (size // 100 // len(pattern) if goes_on else size // len(pattern))
        body = b"[" + (part + b"," + _PRODUCT) * (100 if goes_on else 1) + b"]"
        with contextlib.suppress(SourceUnavailableError, SourceMisfitError):
            read(body)
        assert work <= 150 * (len(body) + 100_000)


def test_a_huge_export_is_refused_when_it_is_past_the_limit() -> None:
    packed = PackedReader(gzip=False, most_bytes=1_000_000)
    for _ in range(10):
        assert list(packed.feed(b" " * 100_000)) == []
    with pytest.raises(SourceMisfitError, match=r"larger than 1 MB \(PENSTOCK_EXPORT_MEGABYTES\)"):
        list(packed.feed(b" "))


def test_too_many_unreadable_rows_are_no_inventory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_rows, "MOST_REJECTED", 100)
    assert len(read(body_of([{}] * 100))[1]) == 100
    with pytest.raises(SourceMisfitError, match="more than 100 rows that cannot be read"):
        read(body_of([{}] * 101))


def test_unreadable_rows_come_in_pages_however_many_are_in_a_window() -> None:
    packed = PackedReader(gzip=False)
    pages = [*packed.feed(b"[" + b"0," * 100_000), *packed.feed(b"0]"), *packed.end()]
    assert [len(page.rejected) for page in pages] == [*[5_000] * 20, 1]


def test_a_stopped_reader_takes_no_further_row(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = PackedReader(gzip=False)
    taken = 0
    take = export_rows.WindowRows.take

    def stopped_at_the_third(rows: export_rows.WindowRows, text: bytes) -> None:
        nonlocal taken
        taken += 1
        if taken == 3:
            packed.stop()
        take(rows, text)

    monkeypatch.setattr(export_rows.WindowRows, "take", stopped_at_the_third)
    with pytest.raises(SourceUnavailableError):
        list(packed.feed(b"[" + b"{}," * 100_000))
    assert taken == 3


class Discarding:
    """A staging area that keeps nothing."""

    async def add(self, products: Sequence[Product]) -> None:
        """Keep none."""

    async def refuse(self, rows: Sequence[RejectedRow]) -> None:
        """Keep none."""


async def test_a_cancelled_sync_reads_no_further_row(monkeypatch: pytest.MonkeyPatch) -> None:
    taking, cancelled = threading.Event(), threading.Event()
    taken = 0
    take = export_rows.WindowRows.take

    def waits_at_the_third(rows: export_rows.WindowRows, text: bytes) -> None:
        nonlocal taken
        taken += 1
        if taken == 3:
            taking.set()
            assert cancelled.wait(60)
        take(rows, text)

    async def blocks() -> AsyncGenerator[bytes]:
        yield b"[" + b"{}," * 100_000
        await asyncio.Event().wait()

    monkeypatch.setattr(export_rows.WindowRows, "take", waits_at_the_third)
    staging = stage(
        blocks(),
        cast("Staging", Discarding()),
        gzip=False,
        most_bytes=MOST_BYTES,
        writer=None,
        on_staged=lambda _: None,
    )
    task = asyncio.create_task(staging)
    assert await asyncio.to_thread(taking.wait, 60)
    reading = next(thread for thread in threading.enumerate() if thread.name.startswith("parse"))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    cancelled.set()
    await asyncio.to_thread(reading.join, 60)
    assert not reading.is_alive()
    assert taken == 3
