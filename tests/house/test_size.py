"""Limits: files of 400 lines, complexity 10, a median function under 10 lines."""

from __future__ import annotations

import re
import statistics

from tests.house.sources import functions, modules, name_of

MAX_FILE_LINES = 400
MEDIAN_FUNCTION_LINES = 10

# Exceptions, with a reason. `path` is a file that is too long; `path: C901` has a function that is
# too complex for ruff.
EXCEPTIONS: dict[str, str] = {}


def _too_large() -> set[str]:
    found = set()
    for path in modules("src", "tests", "benchmarks"):
        text = path.read_text(encoding="utf-8")
        if len(text.splitlines()) > MAX_FILE_LINES:
            found.add(name_of(path))
        if re.search(r"#\s*(ruff: )?noqa:.*\bC901\b", text):
            found.add(f"{name_of(path)}: C901")
    return found


def test_only_the_listed_files_are_too_large() -> None:
    assert _too_large() - EXCEPTIONS.keys() == set(), (
        "make it smaller, or list it in EXCEPTIONS with a reason"
    )


def test_every_listed_exception_is_needed() -> None:
    assert EXCEPTIONS.keys() - _too_large() == set()
    assert all(EXCEPTIONS.values()), "an exception has a reason"


def test_half_of_all_functions_are_short() -> None:
    lengths = [
        (node.end_lineno or node.lineno) - node.lineno + 1
        for path in modules("src/penstock")
        for node in functions(path.read_text(encoding="utf-8"))
    ]
    assert statistics.median(lengths) < MEDIAN_FUNCTION_LINES
