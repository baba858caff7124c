"""What can be wrong with an export that arrives whole: rows doubled, spoiled, missing, of somebody else. A twist changes a stream of rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Rows: TypeAlias = "Iterator[bytes]"
Kind: TypeAlias = Literal["duplicate", "malformed", "missing_id", "broken_json", "unknown_field", "currency", "another_seller", "fewer", "empty"]

_ANOTHER_SELLER = 999_999


class Twist(msgspec.Struct, frozen=True):
    """One kind; `percent` of the rows have it, spread evenly, or the one row at `row` (counted from 0)."""

    kind: Kind
    percent: float
    row: int

    def rows(self, rows: Rows) -> Rows:
        """The same rows, twisted."""
        return _TWISTS[self.kind](rows, self)

    def hits(self, at: int) -> bool:
        """Whether the row at this place is one of the percentage."""
        return int((at + 1) * self.percent / 100) > int(at * self.percent / 100)


def _duplicate(rows: Rows, twist: Twist) -> Rows:
    """The row comes a second time at the end, as far from the first as can be."""
    kept = []
    for at, row in enumerate(rows):
        if at == twist.row:
            kept.append(row)
        yield row
    yield from kept


def _one(change: Callable[[bytes], bytes]) -> Callable[[Rows, Twist], Rows]:
    return lambda rows, twist: (change(row) if at == twist.row else row for at, row in enumerate(rows))


def _some(change: Callable[[bytes], bytes]) -> Callable[[Rows, Twist], Rows]:
    return lambda rows, twist: (change(row) if twist.hits(at) else row for at, row in enumerate(rows))


def _fewer(rows: Rows, twist: Twist) -> Rows:
    return (row for at, row in enumerate(rows) if not twist.hits(at))


def _empty(_rows: Rows, _: Twist) -> Rows:
    return iter(())


def _malformed(row: bytes) -> bytes:
    return _changed(row, "price_cents", "12,50")


def _missing_id(row: bytes) -> bytes:
    return b"{" + row.partition(b",")[2]


def _broken_json(row: bytes) -> bytes:
    return row[:-1]


def _unknown_field(row: bytes) -> bytes:
    return row[:-1] + b',"hub_state":{"shelf":[1,2,{"a":"},{"}],"checked":null}}'


def _currency(row: bytes) -> bytes:
    return _changed(row, "price_currency", "USD")


def _another_seller(row: bytes) -> bytes:
    return _changed(row, "user_id", _ANOTHER_SELLER)


def _changed(row: bytes, field: str, value: object) -> bytes:
    fields = msgspec.json.decode(row, type=dict[str, msgspec.Raw])
    fields[field] = msgspec.Raw(msgspec.json.encode(value))
    return msgspec.json.encode(fields)


_TWISTS: dict[Kind, Callable[[Rows, Twist], Rows]] = {
    "duplicate": _duplicate,
    "malformed": _one(_malformed),
    "missing_id": _one(_missing_id),
    "broken_json": _one(_broken_json),
    "unknown_field": _some(_unknown_field),
    "currency": _some(_currency),
    "another_seller": _some(_another_seller),
    "fewer": _fewer,
    "empty": _empty,
}
