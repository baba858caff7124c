"""The dashboard's source is checked, and the built files in the package are what it gives."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

from tests.house.openapi import document
from tests.house.sources import ROOT
from tests.missing import missing

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tests.conftest import Say

FRONTEND = ROOT / "frontend"
BUILT = ROOT / "src/penstock/api/dashboard/built"
_SCHEMA = FRONTEND / "src/api/schema.d.ts"


def _run(*words: str) -> None:
    ended = subprocess.run(
        words,
        cwd=FRONTEND,
        env={**os.environ, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, f"{' '.join(words)}\n{ended.stdout}\n{ended.stderr}"


def _files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


# In one test: it installs what it needs into the checkout, which two workers must not do at once.
async def test_the_dashboard_is_sound_and_built_from_its_source(tmp_path: Path) -> None:
    if shutil.which("npm") is None:
        missing("no npm is installed; https://nodejs.org has Node 20.19 or newer with npm")
    _run("make", "-C", "..", "--no-print-directory", "frontend/node_modules/made.stamp")

    (tmp_path / "openapi.json").write_text(await document(tmp_path), encoding="utf-8")
    types = tmp_path / "schema.d.ts"
    _run("npx", "openapi-typescript", str(tmp_path / "openapi.json"), "--output", str(types))
    assert types.read_bytes() == _SCHEMA.read_bytes(), "run `make frontend`"

    _run("npm", "run", "check")
    _run("npm", "run", "build", "--", "--outDir", str(tmp_path / "built"), "--emptyOutDir")
    built = _files(tmp_path / "built")
    assert built.keys() == _files(BUILT).keys(), "run `make frontend`"
    assert built == _files(BUILT), "run `make frontend`"


def _packed(names: Iterable[str]) -> int:
    return sum(len(gzip.compress((BUILT / name).read_bytes())) for name in names)


def _loaded_by(page: str) -> set[str]:
    """The scripts and styles that a page names."""
    text = (BUILT / page).read_text(encoding="utf-8")
    found = set(re.findall(r'(?:src|href)="/(assets/[^"]+\.(?:js|css))"', text))
    assert len(found) >= 2
    return found


def test_the_dashboard_is_small(say: Say) -> None:
    """Without the viewer of the API, which is a page of its own."""
    first, viewer = _loaded_by("index.html"), _loaded_by("docs.html")
    files = {name for name in _files(BUILT) if name.endswith((".js", ".css"))}
    dashboard = files - (viewer - first)
    say(
        f"{_packed(first) / 1000:.0f} kB packed for the first page, "
        f"{_packed(dashboard) / 1000:.0f} all, {_packed(viewer) / 1000:.0f} for /docs"
    )
    assert _packed(first) <= 300_000
    assert _packed(dashboard) <= 400_000
