"""The licences of the packages that a deployment installs, as the page docs/licences.md.

`python -m tests.house.licences` adds the dashboard's packages to requirements/sbom.cdx.json and
writes the page from it; `make sbom` makes the list first.
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
_NPM_LOCK = ROOT / "frontend" / "package-lock.json"
_NPM = "pkg:npm/"

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
tools, and the npm packages that the dashboard is made of (`frontend/package-lock.json`). Written by
`make sbom` from the packages' own metadata; versions are in
[requirements/sbom.cdx.json](../requirements/sbom.cdx.json), a CycloneDX list.

| licence | packages |
|---|---|
"""


def components(*, of_npm: bool = False) -> list[dict[str, Any]]:
    """The packages of the list: those of Python, or those of the dashboard."""
    listed = json.loads(SBOM.read_text(encoding="utf-8"))["components"]
    return [found for found in listed if found["purl"].startswith(_NPM) == of_npm]


def npm_packages() -> list[dict[str, Any]]:
    """The packages of the dashboard as the list has to have them; not those it is built with."""
    locked = json.loads(_NPM_LOCK.read_text(encoding="utf-8"))["packages"]
    names = {place: place.rpartition("node_modules/")[2] for place in locked if place}
    return [
        _npm_package(names[place], locked[place])
        for place in sorted(names)
        if not locked[place].get("dev")
    ]


def _npm_package(name: str, locked: Mapping[str, str]) -> dict[str, Any]:
    purl = f"{_NPM}{name.replace('@', '%40')}@{locked['version']}"
    said = locked["license"].strip("()")
    declared = {"acknowledgement": "declared"}
    one = {"license": {"id": said} | declared}
    licence = {"expression": said} | declared if " " in said else one
    return {
        "bom-ref": purl,
        "licenses": [licence],
        "name": name,
        "purl": purl,
        "type": "library",
        "version": locked["version"],
    }


def by_licence() -> Mapping[str, list[str]]:
    """The names of the packages of each licence."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for component in [*components(), *components(of_npm=True)]:
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


def _add_npm_packages() -> None:
    bill = json.loads(SBOM.read_text(encoding="utf-8"))
    bill["components"] = [*components(), *npm_packages()]
    SBOM.write_text(json.dumps(bill, indent=2), encoding="utf-8")


if __name__ == "__main__":
    _add_npm_packages()
    PAGE.write_text(page(), encoding="utf-8")
