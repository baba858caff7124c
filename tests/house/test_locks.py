"""The lock files: complete, hashed, in step with pyproject.toml and with each other."""

from __future__ import annotations

import ast
import re
import tomllib
from importlib.metadata import packages_distributions
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.house import licences
from tests.house.sources import ROOT, modules

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
RUN = PROJECT["project"]["dependencies"]
BENCH = PROJECT["dependency-groups"]["bench"]
AUDIT = PROJECT["dependency-groups"]["audit"]
EXTRAS = PROJECT["project"]["optional-dependencies"]
DEV = [*PROJECT["dependency-groups"]["dev"], *EXTRAS["push"], *EXTRAS["replay"]]
BUILD = PROJECT["build-system"]["requires"]


def _entries(lock: str) -> list[str]:
    """One text per package: its pin, and its hashes on the lines that follow."""
    text = (ROOT / "requirements" / lock).read_text(encoding="utf-8")
    return text.replace("\\\n", " ").strip().splitlines()


def _pins(lock: str) -> dict[str, str]:
    pins: dict[str, str] = {}
    for entry in _entries(lock):
        pin = Requirement(entry.split(" --hash=")[0].strip())
        pins[canonicalize_name(pin.name)] = str(pin.specifier).removeprefix("==")
    return pins


@pytest.mark.parametrize("lock", ["run.txt", "deploy.txt", "bench.txt", "dev.txt", "audit.txt"])
def test_every_package_is_pinned_and_hashed(lock: str) -> None:
    pinned_and_hashed = re.compile(r"[a-z0-9._-]+==\S+( ; .+?)?( +--hash=sha256:[0-9a-f]{64})+")
    assert [entry for entry in _entries(lock) if not pinned_and_hashed.fullmatch(entry)] == []


@pytest.mark.parametrize(
    ("lock", "requirements"),
    [
        ("run.txt", [*RUN, *BUILD]),
        ("deploy.txt", [*RUN, *BUILD, *EXTRAS["push"]]),
        ("bench.txt", [*RUN, *BUILD, *BENCH]),
        ("dev.txt", [*RUN, *BUILD, *DEV]),
        ("audit.txt", AUDIT),
    ],
)
def test_every_direct_dependency_is_locked_within_its_range(
    lock: str, requirements: list[str]
) -> None:
    pins = _pins(lock)
    for requirement in map(Requirement, requirements):
        pinned = pins.get(canonicalize_name(requirement.name))
        assert pinned is not None, f"{requirement.name} is not in {lock}: run `make lock`"
        assert requirement.specifier.contains(pinned), (
            f"{lock} has {requirement.name} {pinned}, pyproject.toml wants {requirement.specifier}"
        )


@pytest.mark.parametrize("lock", ["run.txt", "deploy.txt", "bench.txt", "audit.txt"])
def test_every_lock_has_the_tested_versions(lock: str) -> None:
    tested = _pins("dev.txt")
    assert {
        name: version
        for name, version in _pins(lock).items()
        if tested.get(name, version) != version
    } == {}


@pytest.mark.parametrize("lock", ["run.txt", "deploy.txt"])
def test_every_runtime_package_is_tested(lock: str) -> None:
    assert _pins(lock).keys() <= _pins("dev.txt").keys()


def test_tests_do_not_install_what_benchmarks_measure_against() -> None:
    assert "dlt" in _pins("bench.txt").keys() - _pins("dev.txt").keys()


def test_the_deployed_packages_are_the_runtime_packages_and_apprise() -> None:
    assert _pins("run.txt").keys() < _pins("deploy.txt").keys()
    assert "apprise" in _pins("deploy.txt").keys() - _pins("run.txt").keys()


def test_the_build_tools_are_those_of_pyproject() -> None:
    listed = (ROOT / "requirements" / "build.in").read_text(encoding="utf-8").splitlines()
    assert set(BUILD) <= set(listed)


def test_every_package_that_the_source_imports_is_a_declared_dependency() -> None:
    declared = {
        canonicalize_name(Requirement(requirement).name)
        for requirement in [*RUN, *EXTRAS["push"], *EXTRAS["replay"]]
    }
    packages = packages_distributions()
    imported = {
        canonicalize_name(package)
        for path in modules("src/penstock")
        for name in _imported(ast.parse(path.read_text(encoding="utf-8")))
        for package in packages.get(name, ())
    }
    # pydantic itself fixes the version of its core.
    assert imported - declared - {"penstock", "pydantic-core"} == set()


def _imported(tree: ast.Module) -> Iterator[str]:
    """The first names of what is imported at run time."""
    for node in tree.body:
        match node:
            case ast.Import(names=names):
                yield from (name.name.partition(".")[0] for name in names)
            case ast.ImportFrom(module=str(module), level=0):
                yield module.partition(".")[0]


def test_the_sbom_lists_what_a_deployment_installs() -> None:
    listed = {
        canonicalize_name(component["name"]): component["version"]
        for component in licences.components()
    }
    pins = _pins("deploy.txt")
    everywhere = {
        canonicalize_name(pin.name)
        for entry in _entries("deploy.txt")
        if (pin := Requirement(entry.split(" --hash=")[0].strip())).marker is None
    }
    assert {name: version for name, version in listed.items() if pins.get(name) != version} == {}
    assert everywhere - listed.keys() == set(), "run `make sbom`"


def test_the_sbom_lists_what_the_dashboard_is_made_of() -> None:
    assert licences.components(of_npm=True) == licences.npm_packages(), "run `make sbom`"
    listed = {component["name"] for component in licences.npm_packages()}
    assert {"react", "@mantine/core", "swagger-ui-dist"} <= listed
    assert "vite" not in listed


def test_every_deployed_package_has_a_licence_that_apache_2_works_with() -> None:
    fit = {"Apache-2.0", "MIT", "ISC", "MPL-2.0", "LGPL-3.0-only", "PSF-2.0", "Python-2.0"}
    fit |= {"0BSD", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "Unlicense"}
    found = licences.by_licence()
    assert {text for text in found if not set(re.split(" (?:AND|OR) ", text)) <= fit} == set()
    assert licences.PAGE.read_text(encoding="utf-8") == licences.page(), "run `make sbom`"
