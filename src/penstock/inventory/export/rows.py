"""The slow way to read an export: row by row, where a window has a bad row, to keep the others."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

from penstock.errors import SourceUnavailableError
from penstock.inventory.forms import UNREADABLE, RowReader, whole_number
from penstock.inventory.product import MOST_64, Product, RejectedRow

RAW_CHARS = 2_000
# The longest row, also a broken one.
MOST_ROW_CHARS = 1024 * 1024
_NEXT_OBJECT = re.compile(r",\s*(?=\{)")
_FOLLOWING = re.compile(r"\s*([,\]])\s*")
# An escaped zero, but no escaped backslash before "u0000".
_ESCAPED_ZERO = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")

_read = RowReader(Product).read
# It only finds where a row ends, so it takes what JSON forbids (NaN, bare line ends) and makes no
# numbers.
_scan = json.JSONDecoder(
    parse_int=str, parse_float=str, parse_constant=str, strict=False
).raw_decode


@dataclass(slots=True)
class WindowRows:
    """The rows at the start of a window; `rest` follows them, `ended`: the array was closed."""

    products: list[Product] = field(default_factory=list)
    rejected: list[RejectedRow] = field(default_factory=list)
    rest: bytes = b""
    ended: bool = False

    def take(self, text: str) -> None:
        """Add one row as a product or as rejected."""
        row = _bytes(text)
        try:
            product = _read(row)
            if (fault := fault_of(product)) is None:
                self.products.append(product)
                return
        except UNREADABLE as error:
            fault = str(error)
        self.rejected.append(RejectedRow("malformed", fault, _shown(row), _id_of(text)))


def read_rows(window: bytes, *, last: bool) -> WindowRows:
    """The rows of a window that starts with one; `last`: nothing follows the window.

    SourceUnavailableError if it holds no rows, or ends within one.
    """
    # Any bytes survive this and come out again.
    text = window.decode("utf-8", "surrogateescape")
    found, at = WindowRows(), len(text) - len(text.lstrip())
    while not found.ended:
        end, following = _row(text, at)
        if following is None:
            if not last and len(text) - at < MOST_ROW_CHARS:
                break
            end, following = _broken(found, text, at)
        else:
            found.take(text[at:end])
        at, found.ended = following.end(), following[1] == "]"
    found.rest = _bytes(text[at:])
    return found


def fault_of(product: Product) -> str | None:
    """Why a decoded product cannot be stored; None if it can."""
    texts = (
        product.name_en,
        product.price_currency,
        product.description,
        product.user_data_field,
        product.tag,
        product.graded,
    )
    if any("\0" in text for text in texts if isinstance(text, str)) or any(
        _ESCAPED_ZERO.search(raw) for raw in (product.properties_hash, product.uploaded_images)
    ):
        return "it contains the character U+0000, which databases cannot store"
    if not bytes(product.properties_hash).startswith(b"{"):
        return "Expected `object` - at `$.properties_hash`"
    try:
        for raw in (product.properties_hash, product.uploaded_images):
            json.dumps(json.loads(bytes(raw)), ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        return f"it contains text that is not valid Unicode: {error}"
    return None


def _row(text: str, at: int) -> tuple[int, re.Match[str] | None]:
    """Where this row ends, and the comma or bracket after it; None without a proper end."""
    try:
        _, end = _scan(text, at)
    except (ValueError, RecursionError):
        return at, None
    return end, _FOLLOWING.match(text, end)


def _broken(found: WindowRows, text: str, at: int) -> tuple[int, re.Match[str]]:
    """Refuse text that is no row, up to where the next product begins."""
    for comma in _NEXT_OBJECT.finditer(text, at + 1):
        end, following = _row(text, comma.end())
        if following is not None and _is_product(text[comma.end() : end]):
            row = text[at : comma.start()]
            found.rejected.append(RejectedRow("unreadable", "it is not JSON", _shown(_bytes(row))))
            found.take(text[comma.end() : end])
            return end, following
    raise SourceUnavailableError(
        f"the export was cut, or is not an export: no product follows {text[at : at + 60]!r}"
    )


def _is_product(text: str) -> bool:
    try:
        _read(_bytes(text))
    except UNREADABLE:
        return False
    return True


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _shown(row: bytes) -> str:
    return row.decode("utf-8", "replace").replace("\0", "\ufffd")[:RAW_CHARS]


def _id_of(text: str) -> int | None:
    """The product's id, if it can be read: the product is there, whatever is wrong with the row."""
    try:
        row, _ = _scan(text)
    except (ValueError, RecursionError):
        return None
    sent = row.get("id") if isinstance(row, dict) else None
    number = whole_number(sent) if isinstance(sent, str) else None
    return number if number is not None and 1 <= number <= MOST_64 else None
