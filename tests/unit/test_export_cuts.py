"""Exports that are cut, damaged or not exports at all are always noticed."""

from __future__ import annotations

import contextlib
import gzip
import random
import zlib
from typing import TYPE_CHECKING

import pytest

from penstock.errors import SourceUnavailableError
from penstock.inventory.export.pipeline import PackedReader
from penstock.inventory.export.rows import MOST_ROW_CHARS
from tests.inventory_builders import body_of, row
from tests.unit.exports import SEVERAL_WINDOWS, large, read

if TYPE_CHECKING:
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
    reader = PackedReader(gzip=False)
    fed = 0
    with contextlib.suppress(SourceUnavailableError):
        for fed in range(0, 10 * MOST_ROW_CHARS, 10_000):
            list(reader.feed(b"a" * 10_000 if fed else b'[{"id":1,"name_en":"'))
    assert fed <= MOST_ROW_CHARS + 20_000


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
    reader = PackedReader(gzip=True)
    bomb = zlib.compress(b"[" + b" " * 60_000_000, 9, wbits=31)
    with pytest.raises(SourceUnavailableError, match="times its size"):
        list(reader.feed(bomb))
