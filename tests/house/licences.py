"""The licences of the packages that a deployment installs, as the page docs/licences.md.

`python -m tests.house.licences` writes it from requirements/sbom.cdx.json; `make sbom` runs both.
"""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from tests.house.sources import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SBOM = ROOT / "requirements" / "sbom.cdx.json"
PAGE = ROOT / "docs" / "licences.md"

# What packages say in other words than SPDX's.
_SPDX = {
    "License :: OSI Approved :: Apache Software License": "Apache-2.0",
    "License :: OSI Approved :: BSD License": "BSD-3-Clause",
    "License :: OSI Approved :: Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}
# Packages whose metadata name none; from the licence file that they install.
_FROM_FILE = {"multidict": "Apache-2.0"}

_HEAD = """\
# Licences

The packages that a deployment installs (`requirements/deploy.txt`), by licence, with the build
tools. Written by `make sbom` from the packages' own metadata; versions are in
[requirements/sbom.cdx.json](../requirements/sbom.cdx.json), a CycloneDX list.

| licence | packages |
|---|---|
"""


def components() -> list[dict[str, Any]]:
    """The packages of the list."""
    found: list[dict[str, Any]] = json.loads(SBOM.read_text(encoding="utf-8"))["components"]
    return found


def by_licence() -> Mapping[str, list[str]]:
    """The names of the packages of each licence."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for component in components():
        found[_licence(component)].append(component["name"].lower())
    return found


def page() -> str:
    """The page as it has to be."""
    rows = sorted(by_licence().items())
    return _HEAD + "".join(
        f"| {licence} | {', '.join(sorted(names))} |\n" for licence, names in rows
    )


def _licence(component: dict[str, Any]) -> str:
    said = sorted({_SPDX.get(text, text) for text in _said(component)})
    return " AND ".join(said) or _FROM_FILE.get(component["name"], "unknown")


def _said(component: dict[str, Any]) -> Iterator[str]:
    for entry in component.get("licenses", ()):
        licence = entry.get("license", {})
        yield entry.get("expression") or licence.get("id") or licence["name"]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
