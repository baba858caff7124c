"""The files for the house tests."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
_NOT_OURS = {".git", ".venv", "build", "dist", "node_modules", "__pycache__"}


def own_files(folder: Path = ROOT) -> Iterator[Path]:
    """Every file of the checkout except those made by tools; works without git."""
    for path in sorted(folder.iterdir()):
        if path.name in _NOT_OURS:
            continue
        if path.is_dir():
            if not path.name.endswith("_cache") and path.name != ".hypothesis":
                yield from own_files(path)
        elif path.is_file():
            yield path


def modules(*folders: str) -> list[Path]:
    """The Python files of some folders of the checkout."""
    return [
        path
        for folder in folders
        if (ROOT / folder).exists()
        for path in own_files(ROOT / folder)
        if path.suffix == ".py"
    ]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def functions(source: str) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node
