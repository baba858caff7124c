"""The import graph, and its largest cycle."""

from __future__ import annotations

import ast
import importlib.util
import itertools
from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tests.house.parsed import Source

Graph = dict[str, set[str]]

# What a cycle may connect: modules, their folders, or whole top folders.
PLACES: Mapping[str, Callable[[Source], str]] = {
    "modules": lambda source: source.name,
    "packages": lambda source: source.package if "." in source.package else source.room,
    "rooms": lambda source: source.room,
}


def imports(src: Sequence[Source], *, types: bool) -> Graph:
    """The imports of each module, also in functions; `types`: also under TYPE_CHECKING."""
    known = {source.name for source in src}
    return {source.name: set(_imported(source, known, types=types)) for source in src}


def _imported(source: Source, known: set[str], *, types: bool) -> Iterator[str]:
    left_out = set() if types else _for_types(source)
    for node in source.nodes:
        if node not in left_out:
            for names in _asked_for(node, source.package):
                yield from itertools.islice((name for name in names if name in known), 1)


def _asked_for(node: ast.AST, package: str) -> Iterator[Sequence[str]]:
    """The possible modules of each imported name, the likeliest first."""
    match node:
        case ast.Import():
            yield from ([alias.name] for alias in node.names)
        case ast.ImportFrom():
            base = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            yield from ([f"{base}.{alias.name}", base] for alias in node.names)


def _for_types(source: Source) -> set[ast.AST]:
    """The nodes below `if TYPE_CHECKING`."""
    branches = (node for node in source.nodes if isinstance(node, ast.If))
    checked = (node for node in branches if ast.unparse(node.test).endswith("TYPE_CHECKING"))
    return {node for branch in checked for statement in branch.body for node in ast.walk(statement)}


def folded(graph: Graph, places: Mapping[str, str]) -> Graph:
    """The graph of the modules' places."""
    between: Graph = defaultdict(set)
    for name, others in graph.items():
        between[places[name]] |= {places[other] for other in others} - {places[name]}
    return between


def largest_cycle(graph: Graph) -> list[str]:
    """The largest set of nodes that all reach each other; empty without a cycle."""
    reached = {node: _reached(graph, node) for node in graph}
    circles = [[end for end in reached[node] if node in reached[end]] for node in reached]
    largest: list[str] = max(circles, key=len, default=[])
    return sorted(largest)


def _reached(graph: Graph, start: str) -> set[str]:
    reached: set[str] = set()
    ahead = [start]
    while ahead:
        new = graph[ahead.pop()] - reached
        reached |= new
        ahead += new
    return reached
