"""Figures of the source, beside their targets.

Run as `python -m tests.house.figures [ROOT] [--all]`. It needs only the standard library and
imports nothing of the program, so ROOT may be a clone of any commit.
"""

from __future__ import annotations

import argparse
import ast
import itertools
import re
import statistics
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.house.cycles import PLACES, folded, imports, largest_cycle
from tests.house.parsed import Function, read

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tests.house.parsed import Source

_COLUMNS = 100
_MOST_COMPLEX = 10
_SHOWN = 3
_FOLDERS = ("src", "tests", "benchmarks", "examples")
# These packages serve any domain, so they name none.
_SERVING = {"access", "alerts", "app", "collection", "core", "engine", "http", "runs", "wiring"}
# Without exchange, symbol and timeframe: the published tables of configs and executions have
# columns of these names for every domain.
_WORDS = (
    "candle",
    "market",
    "binance",
    "inventor(y|ie)",
    "market_?place",
    "card_?trader",
    "sync",
    "product",
)
_DOMAIN = re.compile(rf"(?<![a-z])({'|'.join(_WORDS)})s?(?![a-z])")
_FAKES = {"AsyncMock", "MagicMock", "Mock", "create_autospec"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure. `target` is its maximum, or minimum; `where` names what it counts."""

    name: str
    value: float
    target: float | None = None
    at_least: bool = False
    where: Sequence[str] = ()

    @property
    def met(self) -> bool:
        """Whether it meets its target, if it has one."""
        if self.target is None:
            return True
        return self.value >= self.target if self.at_least else self.value <= self.target


def figures(root: Path) -> list[Figure]:
    """All figures of a checkout."""
    src, tests = read(root / "src"), read(root / "tests")
    of_src = (part(src) for part in (_files, _functions, _cycles, _shape, _nodes))
    return [*itertools.chain.from_iterable(of_src), *_tests(src, tests), _long_lines(root)]


def _none_of(name: str, where: Sequence[str]) -> Figure:
    """A figure whose target is 0."""
    return Figure(name=name, value=len(where), target=0, where=where)


def _files(src: Sequence[Source]) -> Iterator[Figure]:
    yield Figure(name="files", value=len(src))
    yield Figure(name="lines of a file, median", value=_median(source.lines for source in src))
    largest = max(src, key=lambda source: source.lines, default=None)
    lines, where = (largest.lines, [largest.name]) if largest else (0, [])
    yield Figure(name="lines of the largest file", value=lines, target=400, where=where)


def _functions(src: Sequence[Source]) -> Iterator[Figure]:
    named = [(f"{module.name}.{node.name}", node) for module in src for node in module.functions]
    lines = sorted((node.end_lineno or node.lineno) - node.lineno + 1 for _, node in named)
    yield Figure(name="lines of a function, median", value=_median(lines), target=9)
    p90 = lines[len(lines) * 9 // 10] if lines else 0
    yield Figure(name="lines of a function, p90", value=p90)
    sizes = (sum(1 for _ in ast.walk(node)) for _, node in named)
    yield Figure(name="AST nodes of a function, median", value=_median(sizes), target=45)
    too_complex = [name for name, node in named if complexity(node) > _MOST_COMPLEX]
    yield _none_of("functions with a complexity over 10", too_complex)
    untyped = [name for name, node in named if not _is_typed(node)]
    typed = 100 * (1 - len(untyped) / len(named)) if named else 100
    name = "typed functions, %"
    yield Figure(name=name, value=typed, target=100, at_least=True, where=untyped)


def complexity(function: Function) -> int:
    """McCabe's number as ruff counts it: an inner function is a branch too."""
    return sum(map(_branches, ast.walk(function)))


def _branches(node: ast.AST) -> int:
    match node:
        case ast.Try() | ast.TryStar():
            return bool(node.orelse)
        case ast.match_case(pattern=ast.MatchAs(pattern=None), guard=None):
            # Matches the rest, like `else`.
            return 0
        case ast.If() | ast.For() | ast.AsyncFor() | ast.While():
            return 1
        case ast.ExceptHandler() | ast.match_case() | ast.FunctionDef() | ast.AsyncFunctionDef():
            return 1
        case _:
            return 0


def _is_typed(function: Function) -> bool:
    takes = function.args
    listed = [*takes.posonlyargs, *takes.args, *takes.kwonlyargs, takes.vararg, takes.kwarg]
    given = [
        argument
        for argument in listed
        if argument is not None and argument.arg not in {"self", "cls"}
    ]
    return function.returns is not None and all(
        argument.annotation is not None for argument in given
    )


def _cycles(src: Sequence[Source]) -> Iterator[Figure]:
    for types, extent in ((False, ""), (True, ", with types")):
        graph = imports(src, types=types)
        for kind, place in PLACES.items():
            cycle = largest_cycle(folded(graph, {source.name: place(source) for source in src}))
            yield _none_of(f"largest import cycle of {kind}{extent}", cycle)


def _tests(src: Sequence[Source], tests: Sequence[Source]) -> Iterator[Figure]:
    ours, theirs = (sum(source.lines for source in folder) for folder in (src, tests))
    yield Figure(name="tests : code, lines", value=theirs / ours if ours else 0)
    names = (node.name for source in tests for node in source.functions)
    count = sum(name.startswith("test_") for name in names)
    yield Figure(name="tests", value=count)
    fakes = sum(map(_is_fake, _all_nodes(tests)))
    yield Figure(name="mocks per 100 tests", value=100 * fakes / count if count else 0)


def _is_fake(node: ast.AST) -> bool:
    """Whether it uses monkeypatch, mock or patch; `client.patch` is a request."""
    if not isinstance(node, ast.Call):
        return False
    parts = ast.unparse(node.func).split(".")
    into = not {"monkeypatch", "mock", "mocker"}.isdisjoint(parts)
    return into or parts[0] == "patch" or parts[-1] in _FAKES


def _shape(src: Sequence[Source]) -> Iterator[Figure]:
    sizes = Counter(source.folder for source in src if not source.is_package)
    where = [folder for folder, _ in sizes.most_common(1)]
    most = max(sizes.values(), default=0)
    yield Figure(name="modules of the largest folder", value=most, target=14, where=where)
    yield from _domains(src)
    uses = Counter(node.name for node in _all_nodes(src) if isinstance(node, ast.ClassDef))
    yield _none_of("class names used twice", [name for name, count in uses.items() if count > 1])
    yield _none_of("functions *_fields and _json in api", list(_shapers(src)))
    names = {source.name for source in src}
    twins = [f"{name}(s)" for name in sorted(names) if f"{name}s" in names]
    yield _none_of("twins by an s in one folder", twins)


def _shapers(src: Sequence[Source]) -> Iterator[str]:
    for source in src:
        names = (node.name for node in source.functions if source.room == "api")
        shaping = (name for name in names if name.endswith("_fields") or name == "_json")
        yield from (f"{source.name}.{name}" for name in shaping)


def _domains(src: Sequence[Source]) -> Iterator[Figure]:
    serving = [source for source in src if source.room in _SERVING]
    naming = [source.name for source in serving if _names_a_domain(source, source.docstrings)]
    yield _none_of("modules that name a domain from outside", naming)
    telling = [source.name for source in serving if _names_a_domain(source, set())]
    yield Figure(name="… also in docstrings", value=len(telling), where=telling)


def _names_a_domain(source: Source, left_out: set[ast.AST]) -> bool:
    texts = (text for node in source.nodes if node not in left_out for text in _texts(node))
    return any(_DOMAIN.search(_in_words(text)) for text in texts)


def _texts(node: ast.AST) -> Iterator[str]:
    """The identifiers and strings of the node itself, including import paths."""
    for _, value in ast.iter_fields(node):
        values = value if isinstance(value, list) else [value]
        yield from (item for item in values if isinstance(item, str))


def _in_words(text: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text).lower()


def _nodes(src: Sequence[Source]) -> Iterator[Figure]:
    yield Figure(name="AST nodes of src", value=sum(len(source.nodes) for source in src))
    others = (source for source in src if source.room != "simulator")
    name = "AST nodes of src without the simulator"
    yield Figure(name=name, value=sum(len(source.nodes) for source in others))


def _long_lines(root: Path) -> Figure:
    paths = (path for folder in _FOLDERS for path in (root / folder).rglob("*.py"))
    lines = (line for path in paths for line in path.read_text(encoding="utf-8").splitlines())
    count = sum(len(line) > _COLUMNS for line in lines)
    return Figure(name="lines over 100 columns", value=count, target=0)


def _all_nodes(sources: Iterable[Source]) -> Iterator[ast.AST]:
    return itertools.chain.from_iterable(source.nodes for source in sources)


def _median(values: Iterable[float]) -> float:
    return statistics.median(list(values) or [0])


def table(measured: Sequence[Figure], *, everything: bool = False) -> str:
    """The figures, one per line; `everything` names all that they count instead of three."""
    return "\n".join(_row(figure, None if everything else _SHOWN).rstrip() for figure in measured)


def _row(figure: Figure, shown: int | None) -> str:
    sign = "≥" if figure.at_least else "≤"
    target = "" if figure.target is None else f"{sign} {figure.target:g}"
    missed = "" if figure.met else "missed"
    where = figure.where[:shown]
    more = len(figure.where) - len(where)
    named = ", ".join(where) + (f" and {more} more" if more else "")
    return f"{figure.name:<46} {round(figure.value, 2):>10,} {target:>7}  {missed:<7} {named}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.house.figures")
    here = Path(__file__).resolve().parents[2]
    parser.add_argument("root", nargs="?", type=Path, default=here, help="a checkout")
    parser.add_argument("--all", action="store_true", help="name all that is counted")
    asked = parser.parse_args()
    sys.stdout.write(table(figures(asked.root), everything=asked.all) + "\n")


if __name__ == "__main__":
    main()
