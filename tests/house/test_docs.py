"""Documents match the code, and some words occur in no file."""

from __future__ import annotations

import ast
import json
import re

from packaging.requirements import Requirement

import penstock.store.schema  # noqa: F401 - declares all tables
from penstock.columns import metadata
from tests.house.sources import ROOT, modules, name_of, own_files
from tests.house.test_locks import AUDIT, BENCH, DEV, RUN

# In pieces, or this file would break the rule. Only absolute paths count.
FORBIDDEN = re.compile(
    "|".join(
        [
            r"(?<![\w.*-])/" + "work/",
            r"(?<![\w.*-])/" + "farm/",
            "python" + "hosted",
            "pypi" + r"\.org/simple",
            "registry" + r"\.npmjs",
        ]
    )
)


def _first_column(document: str) -> set[str]:
    """The words in the first column of a document's tables, without markup."""
    rows = re.findall(
        r"^\| *([^|]+?) *\|", (ROOT / document).read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    return {word.strip(" `*") for row in rows for word in row.split(",")}


def test_every_dependency_has_its_reason() -> None:
    direct = {Requirement(requirement).name for requirement in [*RUN, *DEV, *BENCH, *AUDIT]}
    package = json.loads((ROOT / "frontend/package.json").read_text(encoding="utf-8"))
    direct |= package["dependencies"].keys() | package["devDependencies"].keys()
    assert direct - _first_column("docs/decisions/0001-dependencies.md") == set()


def _named_in_the_code() -> set[str]:
    """The words in the names of modules, classes, functions, fields and tables."""
    names = set(metadata.tables)
    for path in modules("src/penstock"):
        names.add(path.stem)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case (
                    ast.ClassDef(name=name)
                    | ast.FunctionDef(name=name)
                    | ast.AsyncFunctionDef(name=name)
                ):
                    names.add(name)
                case ast.AnnAssign(target=ast.Name(id=name)) | ast.arg(arg=name):
                    names.add(name)
    return {word for name in names for word in _words(name)}


def _words(name: str) -> set[str]:
    """The words of a name, each also without the s of a plural."""
    words = {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)}
    return words | {word.removesuffix("s") for word in words}


def test_every_word_of_the_glossary_names_something_in_the_code() -> None:
    named = _named_in_the_code()
    words = _first_column("docs/glossary.md") - {"word", "---", ""}
    assert len(words) > 30
    assert {word for word in words if not set(word.split()) <= named} == set()


def test_every_table_is_named_by_a_word_of_the_glossary() -> None:
    words = {part for word in _first_column("docs/glossary.md") for part in word.split()}
    assert {table for table in metadata.tables if not _words(table) & words} == set()


def test_no_file_names_a_machine_or_a_registry_host() -> None:
    found = {
        name_of(path): match[0]
        for path in own_files()
        if (match := FORBIDDEN.search(path.read_text(encoding="utf-8", errors="ignore")))
    }
    assert found == {}


def test_the_check_for_machines_finds_one() -> None:
    assert FORBIDDEN.search('path = "/' + 'work/main"')
    assert not FORBIDDEN.search("https://example.org/net" + "work/a and docs/" + "work/b")


_STEPS = re.findall(
    r"^\| \d+ \| `([\w/.]+)` \| (.*?) \|$",
    (ROOT / "docs/architecture.md").read_text(encoding="utf-8"),
    flags=re.MULTILINE,
)


def test_each_step_of_a_value_is_in_the_named_file() -> None:
    assert len(_STEPS) > 20
    for file, text in _STEPS:
        code = (ROOT / "src/penstock" / file).read_text(encoding="utf-8")
        names = [name for name in re.findall(r"`(\w+)`", text) if name not in _VALUES]
        assert [name for name in names if not re.search(rf"\b{name}\b", code)] == [], file


# Values in the steps that are not names in the code.
_VALUES = {"BTCUSDT", "symbols"}
