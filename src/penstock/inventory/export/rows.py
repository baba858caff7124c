"""The slow way to read an export: row by row, where a window has a bad row, to keep the others."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

from penstock.errors import SourceMisfitError, SourceUnavailableError
from penstock.http.elements import masked, walk
from penstock.inventory.forms import UNREADABLE, RowReader, whole_number
from penstock.inventory.product import MOST_64, Product, RejectedRow

PAGE_ROWS = 5_000
RAW_CHARS = 2_000
# The longest row, also a broken one.
MOST_ROW_BYTES = 1024 * 1024
# More unreadable rows than this are no inventory in another form, but another document.
MOST_REJECTED = 500_000
# After text that is no row, the next one is searched for. Each byte of an export is looked at this
# often on average, or the search is given up; to begin a look counts as some bytes.
_LOOKS = 8
_LOOK_BYTES = 64
_NEXT_ROW = re.compile(rb',\s*(?=\{\s*")')
_FOLLOWING = re.compile(rb"\s*([,\]])\s*")
# An escaped zero, but no escaped backslash before "u0000".
_ESCAPED_ZERO = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")

_read = RowReader(Product).read
# It takes what JSON forbids (NaN, bare line ends) and makes no numbers.
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

    def __len__(self) -> int:
        return len(self.products) + len(self.rejected)

    def take(self, row: bytes) -> None:
        """Add one row as a product or as rejected."""
        try:
            product = _read(row)
            if (fault := fault_of(product)) is None:
                self.products.append(product)
                return
        except UNREADABLE as error:
            fault = str(error)
        self.rejected.append(RejectedRow("malformed", fault, _shown(row), _id_of(row)))


class WindowReader:
    """Reads the windows of one export, in a thread; another one may call `stop`."""

    def __init__(self) -> None:
        self._stopped = False
        self._rejected = self._passed = self._looked = 0

    def stop(self) -> None:
        """Let the next row raise SourceUnavailableError: nobody waits for it any more."""
        self._stopped = True

    def read(self, window: bytes, *, last: bool) -> WindowRows:
        """The first rows of a window that starts with one, up to a page of them.

        `last`: nothing follows the window. SourceUnavailableError if it holds no rows, or ends
        within one; SourceMisfitError for too many unreadable rows.
        """
        text, found = masked(window), WindowRows()
        at = len(window) - len(window.lstrip())
        while len(found) < PAGE_ROWS and not found.ended:
            self._check_stop()
            end, following = _row(text, at)
            if following is not None:
                found.take(window[at:end])
            elif last or len(window) - at >= MOST_ROW_BYTES:
                following = self._recovered(found, window, text, at)
            else:
                break
            self._passed += following.end() - at
            at, found.ended = following.end(), following[1] == b"]"
        found.rest = window[at:]
        self._count(found)
        return found

    def _recovered(self, found: WindowRows, window: bytes, text: bytes, at: int) -> re.Match[bytes]:
        """Refuse text that is no row, up to the next product, and take that; what follows it."""
        for comma in _NEXT_ROW.finditer(text, at + 1):
            self._check_stop()
            end, following = _row(text, comma.end())
            if following is not None and _is_product(row := window[comma.end() : end]):
                broken = _shown(window[at : comma.start()])
                found.rejected.append(RejectedRow("unreadable", "it is not JSON", broken))
                found.take(row)
                return following
            self._looked += _LOOK_BYTES + end - comma.end()
            if self._looked > _LOOKS * (self._passed + MOST_ROW_BYTES):
                break
        shown = window[at : at + 60].decode("utf-8", "replace")
        raise SourceUnavailableError(
            f"the export was cut, or is not an export: no product follows {shown!r}"
        )

    def _check_stop(self) -> None:
        if self._stopped:
            raise SourceUnavailableError("the export is read no further")

    def _count(self, found: WindowRows) -> None:
        self._rejected += len(found.rejected)
        if self._rejected > MOST_REJECTED:
            raise SourceMisfitError(
                f"the export has more than {MOST_REJECTED:,} rows that cannot be read,"
                f" such as {found.rejected[-1].raw[:60]!r}"
            )


def _row(text: bytes, at: int) -> tuple[int, re.Match[bytes] | None]:
    """Where a row of a masked text ends, and the comma or bracket after it.

    None without a proper end; then how far the text was read.
    """
    end, whole = walk(text, at)
    return end, _FOLLOWING.match(text, end) if whole else None


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


def _is_product(row: bytes) -> bool:
    try:
        _read(row)
    except UNREADABLE:
        return False
    return True


def _shown(row: bytes) -> str:
    # A character has at most four bytes.
    return row[: 4 * RAW_CHARS].decode("utf-8", "replace").replace("\0", "\ufffd")[:RAW_CHARS]


def _id_of(row: bytes) -> int | None:
    """The product's id, if it can be read: the product is there, whatever is wrong with the row."""
    try:
        # Any bytes survive this.
        values, _ = _scan(row.decode("utf-8", "surrogateescape"))
    except (ValueError, RecursionError):
        return None
    sent = values.get("id") if isinstance(values, dict) else None
    number = whole_number(sent) if isinstance(sent, str) else None
    return number if number is not None and 1 <= number <= MOST_64 else None
