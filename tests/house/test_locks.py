"""The lock files: complete, hashed, in step with pyproject.toml and with each other."""

from __future__ import annotations

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.house.sources import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
RUN = PROJECT["project"]["dependencies"]
BENCH = PROJECT["dependency-groups"]["bench"]
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


@pytest.mark.parametrize("lock", ["run.txt", "deploy.txt", "bench.txt", "dev.txt"])
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


@pytest.mark.parametrize("lock", ["run.txt", "deploy.txt", "bench.txt"])
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
