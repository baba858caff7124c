"""The cost of parsing and checking an export compared with decoding alone.

The child process is `python -m benchmarks.parse`, so that its peak memory is that of this work
alone. Both ways read one body of the simulator, in turn.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from benchmarks.memory import peak_memory_mb
from benchmarks.report import Figure, median_of, worst_of
from penstock.inventory.export.pipeline import PackedReader
from penstock.inventory.export.reader import WINDOW_BYTES
from penstock.inventory.export.rows import PAGE_ROWS
from penstock.inventory.product import Product
from penstock.simulator.cardtrader.catalogue import catalogue_of
from penstock.simulator.cardtrader.export import Export, Press
from penstock.simulator.cardtrader.inventory import SellerInventory, SimulatedSeller

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.places import Places
    from benchmarks.sizes import Sizes

_RATIO_LIMIT = 1.3
# A run may use 256 MB; this is the share for reading the export.
_PEAK_MB_LIMIT = 128.0
_EVERYWHERE = "none"

_decode = msgspec.json.Decoder(list[Product]).decode


def measure(_: Places, sizes: Sizes) -> Iterator[Figure]:
    """The ratio of parsing to decoding alone, their seconds, and the peak memory."""
    with tempfile.TemporaryDirectory(prefix="penstock-bench-") as folder:
        body = Path(folder) / "body.json"
        # A child writes the body, so that the simulator's catalogue does not count.
        _child("write", str(body), str(sizes.products))
        measured = json.loads(_child("read", str(body), str(sizes.parse_rounds)))
    ratios = [
        parsed / decoded
        for parsed, decoded in zip(measured["parse"], measured["decode"], strict=True)
    ]
    note = f"{sizes.products:,} products, {measured['megabytes']:.0f} MB"
    yield median_of("parse ÷ decode alone", _EVERYWHERE, "×", ratios, limit=_RATIO_LIMIT, note=note)
    yield median_of(
        "parse: cut, decode, check, pages", _EVERYWHERE, "s", measured["parse"], note=note
    )
    yield median_of(
        "decode alone, windows cut beforehand", _EVERYWHERE, "s", measured["decode"], note=note
    )
    yield worst_of(
        "peak memory of parsing",
        _EVERYWHERE,
        "MB",
        [measured["peak_mb"]],
        limit=_PEAK_MB_LIMIT,
        note="the process, body read from disk",
    )


def _child(*arguments: str) -> str:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.parse", *arguments],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout


def _write(path: Path, products: int) -> None:
    inventory = SellerInventory(catalogue_of(1), SimulatedSeller("demo", 1001, products))
    with path.open("wb") as file:
        file.writelines(Export(Press(), inventory, inventory.version).pieces())


def _read(path: Path, rounds: int) -> dict[str, object]:
    """Parse first, for the peak memory; then both in turn."""
    _parse(path)
    peak_mb = peak_memory_mb()
    turns = [(_parse(path), _decode_alone(path)) for _ in range(rounds)]
    return {
        "parse": [parsed for parsed, _ in turns],
        "decode": [decoded for _, decoded in turns],
        "peak_mb": peak_mb,
        "megabytes": path.stat().st_size / 1e6,
    }


def _parse(path: Path) -> float:
    """CPU seconds for the body in blocks as from the wire; keeps one page at a time."""
    reader, seconds = PackedReader(gzip=False), 0.0
    with path.open("rb") as file:
        while block := file.read(WINDOW_BYTES):
            started = time.process_time()
            for _ in reader.feed(block):
                pass
            seconds += time.process_time() - started
    started = time.process_time()
    for _ in reader.end():
        pass
    return seconds + time.process_time() - started


def _decode_alone(path: Path) -> float:
    """CPU seconds for the same rows in prepared windows; keeps one page at a time."""
    held: list[list[Product]] = []
    page: list[list[Product]] = []
    seconds = 0.0
    for window in _windows(path):
        started = time.process_time()
        held.append(_decode(window))
        if sum(map(len, held)) >= PAGE_ROWS:
            page, held = held, []
        seconds += time.process_time() - started
    page.clear()
    return seconds


def _windows(path: Path) -> Iterator[bytes]:
    """Windows of whole rows in brackets, split as the simulator separates rows."""
    rest = b""
    with path.open("rb") as file:
        file.seek(1)
        while block := file.read(WINDOW_BYTES):
            rest += block
            end = rest.rfind(b'},{"id":') + 1
            if end:
                yield b"[" + rest[:end] + b"]"
                rest = rest[end + 1 :]
    yield b"[" + rest


if __name__ == "__main__":
    if sys.argv[1] == "write":
        _write(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        print(json.dumps(_read(Path(sys.argv[2]), int(sys.argv[3]))))
