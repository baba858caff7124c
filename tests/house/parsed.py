"""Parsed Python files, with their names and places."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Source:
    """A file below `folder`; its dotted name is relative to that."""

    def __init__(self, path: Path, folder: Path) -> None:
        inside = path.relative_to(folder).with_suffix("")
        self.is_package = inside.name == "__init__"
        self.folder = inside.parent.as_posix()
        self.name = ".".join(inside.parent.parts if self.is_package else inside.parts)
        self.text = path.read_text(encoding="utf-8")
        self.nodes = list(ast.walk(ast.parse(self.text)))

    @property
    def lines(self) -> int:
        return len(self.text.splitlines())

    @property
    def package(self) -> str:
        return self.name if self.is_package else self.name.rpartition(".")[0]

    @property
    def room(self) -> str:
        """The first package or module below the top package."""
        return self.name.split(".")[1] if "." in self.name else self.name

    @property
    def functions(self) -> Iterator[Function]:
        return (node for node in self.nodes if isinstance(node, Function))

    @property
    def docstrings(self) -> set[ast.AST]:
        """The strings that are statements."""
        statements = (node.value for node in self.nodes if isinstance(node, ast.Expr))
        return {value for value in statements if isinstance(value, ast.Constant)}


def read(folder: Path) -> list[Source]:
    """The files below a folder, in order; none where it is missing."""
    return [Source(path, folder) for path in sorted(folder.rglob("*.py"))]
