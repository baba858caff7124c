"""The slow way to read an export, row by row, for a window in which something is wrong: bad rows are told apart, and the others kept."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

import msgspec

from penstock.errors import SourceUnavailableError
from penstock.inventory.forms import RowReader, whole_number
from penstock.inventory.product import MOST_64, Product, RejectedRow

RAW_CHARS = 2_000
# A row, also a broken one, must end within this.
MOST_ROW_CHARS = 1024 * 1024
_NEXT_OBJECT = re.compile(r",\s*(?=\{)")
_FOLLOWING = re.compile(r"\s*([,\]])\s*")
# An escaped zero, and no escaped backslash before "u0000".
_ESCAPED_ZERO = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")

_read = RowReader(Product).read
# It only has to find where a row ends, so it takes what no JSON allows (NaN, bare line ends), and makes no numbers.
_scan = json.JSONDecoder(
    parse_int=str, parse_float=str, parse_constant=str, strict=False
).raw_decode


@dataclass(slots=True)
class Rows:
    """The rows that a window begins with; `rest` is what follows them, `ended` says that the array was closed before it."""

    products: list[Product] = field(default_factory=list)
    rejected: list[RejectedRow] = field(default_factory=list)
    rest: bytes = b""
    ended: bool = False

    def take(self, text: str) -> None:
        """Sort out one row."""
        row = _bytes(text)
        try:
            product = _read(row)
            if (fault := fault_of(product)) is None:
                self.products.append(product)
                return
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            fault = str(error)
        self.rejected.append(RejectedRow("malformed", fault, _shown(row), _id_of(text)))


def read_rows(window: bytes, *, last: bool) -> Rows:
    """The rows of a window that begins with one; `last`: nothing follows it. SourceUnavailableError when it holds no rows, or ends within one."""
    # Whatever bytes there are survive this and come out again.
    text = window.decode("utf-8", "surrogateescape")
    found, at = Rows(), len(text) - len(text.lstrip())
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
    """Why a product that was decoded cannot be stored all the same; None when it can."""
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
        return "it has the character U+0000 in it, which databases cannot store"
    if not bytes(product.properties_hash).startswith(b"{"):
        return "Expected `object` - at `$.properties_hash`"
    try:
        for raw in (product.properties_hash, product.uploaded_images):
            json.dumps(json.loads(bytes(raw)), ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        return f"it has text in it that is no Unicode: {error}"
    return None


def _row(text: str, at: int) -> tuple[int, re.Match[str] | None]:
    """Where the row ends that begins here, and the comma or bracket after it; None when it has no end, or something else follows."""
    try:
        _, end = _scan(text, at)
    except (ValueError, RecursionError):
        return at, None
    return end, _FOLLOWING.match(text, end)


def _broken(found: Rows, text: str, at: int) -> tuple[int, re.Match[str]]:
    """Refuse what no row can be made of, up to where the next product begins."""
    for comma in _NEXT_OBJECT.finditer(text, at + 1):
        end, following = _row(text, comma.end())
        if following is not None and _is_product(text[comma.end() : end]):
            row = text[at : comma.start()]
            found.rejected.append(RejectedRow("unreadable", "it is no JSON", _shown(_bytes(row))))
            found.take(text[comma.end() : end])
            return end, following
    message = f"the export was cut, or is none: no product follows on {text[at : at + 60]!r}"
    raise SourceUnavailableError(message)


def _is_product(text: str) -> bool:
    try:
        _read(_bytes(text))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _shown(row: bytes) -> str:
    return row.decode("utf-8", "replace").replace("\0", "\ufffd")[:RAW_CHARS]


def _id_of(text: str) -> int | None:
    """The product's id, if that much can be read of a row: it tells that the product is there, whatever else is wrong with it."""
    try:
        row, _ = _scan(text)
    except (ValueError, RecursionError):
        return None
    sent = row.get("id") if isinstance(row, dict) else None
    number = whole_number(sent) if isinstance(sent, str) else None
    return number if number is not None and 1 <= number <= MOST_64 else None
