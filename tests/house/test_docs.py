"""Documents that the code can check, so that they do not lie; and what no file may contain."""

from __future__ import annotations

import re

from packaging.requirements import Requirement

from tests.house.sources import ROOT, name_of, own_files
from tests.house.test_locks import DEV, RUN

WORDS = """
    source; candle; timeframe; symbol; series; game; category; expansion; blueprint; product; page; flush; instrument; merge; publish; config; run;
    resource; claim; coverage; gap; restatement; quarantine
"""

# Put together from pieces, or this file would be the first to break the rule. A path counts only from the root of a machine.
FORBIDDEN = re.compile(
    "|".join([r"(?<![\w.*-])/" + "work/", r"(?<![\w.*-])/" + "farm/", "python" + "hosted", "pypi" + r"\.org/simple", "registry" + r"\.npmjs"])
)


def _first_column(document: str) -> set[str]:
    """The words in the first column of a document's tables, without their marks."""
    rows = re.findall(r"^\| *([^|]+?) *\|", (ROOT / document).read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {word.strip(" `*") for row in rows for word in row.split(",")}


def test_every_dependency_has_its_reason() -> None:
    direct = {Requirement(requirement).name for requirement in [*RUN, *DEV]}
    assert direct - _first_column("docs/decisions/0001-dependencies.md") == set()


def test_every_word_is_in_the_glossary() -> None:
    assert {word.strip() for word in WORDS.split(";")} - _first_column("docs/glossary.md") == set()


def test_no_file_names_a_machine_or_a_registry_host() -> None:
    found = {name_of(path): match[0] for path in own_files() if (match := FORBIDDEN.search(path.read_text(encoding="utf-8", errors="ignore")))}
    assert found == {}


def test_the_check_for_machines_finds_one() -> None:
    assert FORBIDDEN.search('path = "/' + 'work/main"')
    assert not FORBIDDEN.search("https://example.org/net" + "work/a and docs/" + "work/b")
