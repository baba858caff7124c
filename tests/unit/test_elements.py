"""Finding the elements of an array: as a parser does, whatever the pieces, in linear work."""

from __future__ import annotations

import json
import re
import tracemalloc
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.http import elements as module
from penstock.http.elements import elements, slices

if TYPE_CHECKING:
    from collections.abc import Iterator

_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=10)
    | st.sampled_from(['"', "\\", '\\"', "],[", "},{", '{"a":', "\\\\", '\\\\"']),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=20,
)


def pieces(text: bytes, size: int) -> Iterator[bytes]:
    return (text[at : at + size] for at in range(0, len(text), size))


@given(
    st.lists(_VALUES, max_size=6),
    st.integers(1, 50),
    st.sampled_from([None, 2]),
    st.booleans(),
)
def test_the_elements_of_any_array_are_found(
    values: list[object], size: int, indent: int | None, ascii_only: bool
) -> None:
    text = json.dumps(values, indent=indent, ensure_ascii=ascii_only).encode()
    found = list(elements(pieces(b" \n" + text + b"\r\n ", size), most_bytes=100_000))
    assert [json.loads(one) for one in found] == values


def test_a_value_with_more_members_than_one_match_passes_is_found_whole() -> None:
    for value in (
        {str(number): number for number in range(1_234)},
        list(range(1_234)),
        [[1] * 250],
    ):
        text = json.dumps([value, value]).encode()
        assert [json.loads(one) for one in elements([text], most_bytes=100_000)] == [value, value]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "not an array"),
        (b" ", "not an array"),
        (b"null", "not an array"),
        (b'{"a":1}', "not an array"),
        (b"\xff", "not an array"),
        (b"[", "element 1 is not JSON"),
        (b"[1", "element 1 is not JSON"),
        (b"[,", "element 1 is not JSON"),
        (b"[1,", "element 2 is not JSON"),
        (b"[1,]", "element 2 is not JSON"),
        (b'["a', "element 1 is not JSON"),
        (b'[{"a" 1}]', "element 1 is not JSON"),
        (b'[{"a":1]]', "element 1 is not JSON"),
        (b"[[1}]", "element 1 is not JSON"),
        (b"[1 2]", "neither a comma nor the end follows element 1"),
        (b'["a" "b"]', "neither a comma nor the end follows element 1"),
        (b"[1]]", "more follows"),
        (b"[][]", "more follows"),
        (b"[1] and more", "more follows"),
        (b'[1,"' + b"a" * 1_000 + b'"]', "element 2 is not JSON, or longer than 1,000 bytes"),
        (b"[" + b"[" * 2_000, "element 1 is not JSON, or longer than 1,000 bytes"),
        (b"[" + b"7" * 2_000 + b"]", "element 1 is not JSON, or longer than 1,000 bytes"),
    ],
)
@pytest.mark.parametrize("size", [1, 3, 10_000])
def test_what_is_no_array_is_refused(text: bytes, said: str, size: int) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        list(elements(pieces(text, size), most_bytes=1_000))


@given(st.binary(max_size=300), st.integers(1, 40))
def test_any_bytes_have_elements_or_are_refused(text: bytes, size: int) -> None:
    for start in (b"", b"[", b'[{"', b'["', b"[1,"):
        try:
            found = list(elements(pieces(start + text, size), most_bytes=100))
        except ValueError:
            continue
        assert sum(map(len, found)) <= len(start + text)


def test_of_an_endless_array_one_piece_is_read_and_little_is_kept() -> None:
    def endless(piece: bytes) -> Iterator[bytes]:
        yield b"["
        for number in range(10_000):
            assert number < 100
            yield piece * 65_536

    for piece in (b"[", b"{", b'"', b"7", b'"\\', b"\\", b'{"a":', b"[1,"):
        tracemalloc.start()
        try:
            with pytest.raises(ValueError, match="element 1"):
                list(elements(endless(piece), most_bytes=65_536))
            assert tracemalloc.get_traced_memory()[1] < 4_000_000
        finally:
            tracemalloc.stop()


@pytest.mark.parametrize("row", [b"0", b'""', b"{}", b"[]", b'{"a":[{"b":""}]}', b'"\\\\"'])
def test_each_row_takes_the_same_work_in_an_array_of_any_length(
    row: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    walked: list[int] = []
    walk = module.walk

    def counted(text: bytes, at: int) -> tuple[int, bool]:
        end, whole = walk(text, at)
        walked.append(end - at)
        return end, whole

    monkeypatch.setattr(module, "walk", counted)
    for count in (1_000, 100_000):
        walked.clear()
        text = b"[" + b",".join([row] * count) + b"]"
        assert sum(1 for _ in elements(slices(text), most_bytes=65_536)) == count
        assert sum(walked) <= 2 * len(text)
        assert len(walked) <= count + len(text) // 262_144 + 1
