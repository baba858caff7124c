"""The forms in which one value is written.

CardTrader sends an id as a number or as text, a spreadsheet writes it as `180397.0`. There is one
rule for each kind of field: a whole number is one in any spelling; text sent as a number is what
was written; null in a field with a default is that default. Anything else is refused.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Generic, TypeVar

import msgspec
from msgspec import inspect

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")

# For `extra` of a type's msgspec.Meta: a field of it is read in no other form.
AS_SENT = {"as_sent": True}

# What a decoder of msgspec raises for bytes that it cannot read.
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

# Exponents of at most three digits: no number here has more, and longer ones take long to compute.
_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]{1,3})?")
_LONGEST = 64
_MOST_DIGITS = 19
_NUMBER_BEGINS = b"-0123456789"

_fields_of = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_items_of = msgspec.json.Decoder(list[msgspec.Raw]).decode
_text_of = msgspec.json.Decoder(str).decode


def whole_number(written: str) -> int | None:
    """The whole number, up to 19 digits, that a text means; None if it means none.

    `180397`, `180397.0`, `1.80397E+05` and ` 180397 ` are the same.
    """
    text = written.strip()
    if len(text) > _LONGEST or not _NUMBER.fullmatch(text):
        return None
    exact = Decimal(text)
    if exact.adjusted() >= _MOST_DIGITS:
        return None
    number = int(exact)
    return number if number == exact else None


def as_written(raw: bytes) -> str:
    """A JSON value as text: a string without its quotes, a number as its digits."""
    return _text_of(raw) if raw.startswith(b'"') else raw.decode("utf-8", "replace")


class RowReader(Generic[T]):
    """Reads rows of a msgspec struct: as its types say, else field by field in other forms.

    `forgiving` leaves out an optional field that cannot be read, and keeps the row.
    """

    def __init__(self, row: type[T], *, forgiving: bool = False) -> None:
        self._decode = msgspec.json.Decoder(row).decode
        # msgspec has no name for "any struct".
        fields = msgspec.structs.fields(row)  # type: ignore[arg-type]
        kinds = {one.encode_name: _kinds(one.type) for one in fields}
        self._rewrites = {
            name: rewrite
            for name, kind in kinds.items()
            if (rewrite := _rewrite_of(kind)) is not None
        }
        optional = {one.encode_name: one.type for one in fields if not one.required}
        self._never_null = {
            name
            for name in optional
            if not any(isinstance(kind, inspect.NoneType) for kind in kinds[name])
        }
        self._judges = (
            {name: msgspec.json.Decoder(given).decode for name, given in optional.items()}
            if forgiving
            else {}
        )

    def read(self, raw: bytes | msgspec.Raw) -> T:
        """The row; one of UNREADABLE for anything else."""
        try:
            return self._decode(raw)
        except msgspec.ValidationError:
            return self._decode(msgspec.json.encode(self._plain(_fields_of(raw))))

    def _plain(self, row: dict[str, msgspec.Raw]) -> dict[str, msgspec.Raw]:
        """The fields in the form of their types, as far as they have one."""
        for name, rewrite in self._rewrites.items():
            raw = bytes(row.get(name, b""))
            if raw == b"null" and name in self._never_null:
                del row[name]
            elif raw and (plain := rewrite(raw)) is not raw:
                row[name] = msgspec.Raw(plain)
        return (
            row
            if not self._judges
            else {name: raw for name, raw in row.items() if self._fits(name, raw)}
        )

    def _fits(self, name: str, raw: msgspec.Raw) -> bool:
        try:
            if judge := self._judges.get(name):
                judge(raw)
        except UNREADABLE:
            return False
        return True


def _kinds(given: object) -> tuple[inspect.Type, ...]:
    info = inspect.type_info(given)
    return info.types if isinstance(info, inspect.UnionType) else (info,)


def _rewrite_of(kinds: Sequence[inspect.Type]) -> Callable[[bytes], bytes] | None:
    """How to read a value of these types in another form; None if there is no other form."""
    match [kind for kind in kinds if not isinstance(kind, inspect.NoneType)]:
        case [inspect.IntType()]:
            return _number
        case [inspect.VarTupleType(item_type=inspect.IntType())]:
            return _numbers
        case [inspect.StrType()]:
            return _text
        case _:
            # Also inspect.Metadata, which is how `extra`, and so AS_SENT, is told.
            return None


def _number(raw: bytes) -> bytes:
    if raw.isdigit() or (number := whole_number(as_written(raw))) is None:
        return raw
    return str(number).encode()


def _numbers(raw: bytes) -> bytes:
    """Those that are numbers: the others name nothing."""
    if not raw.startswith(b"["):
        return raw
    numbers = [whole_number(as_written(bytes(one))) for one in _items_of(raw)]
    return msgspec.json.encode([one for one in numbers if one is not None])


def _text(raw: bytes) -> bytes:
    return b'"' + raw + b'"' if raw[:1] in _NUMBER_BEGINS else raw
