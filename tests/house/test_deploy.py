"""The deployment files parse, and everything they name exists."""

from __future__ import annotations

import json
import os
import re
import shlex
from typing import Any

import pytest
import typer
import yaml

from penstock.cli.main import app
from penstock.settings import load_settings
from penstock.store.connect import parse_url
from tests.house.sources import ROOT


def _read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def _procfile() -> dict[str, list[str]]:
    lines = (line.partition(": ") for line in _read("Procfile").splitlines())
    return {name: shlex.split(command) for name, _, command in lines}


def _compose() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(_read("compose.yaml"))
    return document


def _services() -> dict[str, Any]:
    """The services of the compose file that run Penstock."""
    return {name: service for name, service in _compose()["services"].items() if "build" in service}


def _instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions, whole lines."""
    lines = re.sub(r"\\\n\s*", "", _read("Dockerfile")).splitlines()
    return [
        (word, rest)
        for word, _, rest in (
            line.partition(" ") for line in lines if line and not line.startswith("#")
        )
    ]


def _only(word: str) -> list[str]:
    return [rest for instruction, rest in _instructions() if instruction == word]


def _command_lines() -> dict[str, list[str]]:
    """Every `penstock …` of the files, without its first word."""
    lines = {f"Procfile {name}": words[1:] for name, words in _procfile().items()}
    lines |= {f"compose {name}": service["command"] for name, service in _services().items()}
    checks = {
        name: service.get("healthcheck", {}).get("test", [])
        for name, service in _services().items()
    }
    lines |= {
        f"compose health {name}": test[2:] for name, test in checks.items() if "penstock" in test
    }
    return lines | {"Dockerfile": json.loads(_only("CMD")[-1])}


@pytest.mark.parametrize("where", sorted(_command_lines()))
def test_each_command_is_a_real_command_line(where: str) -> None:
    words = list(_command_lines()[where])
    assert words
    command: Any = typer.main.get_command(app)
    context = command.make_context("penstock", [*words, "--help"], resilient_parsing=True)
    inner = command.get_command(context, words[0])
    assert inner is not None
    assert inner.make_context(words[0], words[1:], parent=context)


def test_the_check_finds_a_command_that_does_not_exist() -> None:
    command: Any = typer.main.get_command(app)
    with pytest.raises(typer.TyperException):
        command.get_command(
            command.make_context("penstock", ["serve"], resilient_parsing=True), "serve"
        ).make_context("serve", ["--no-such-option"])


def test_the_release_migrates_and_the_processes_require_postgresql() -> None:
    procfile = _procfile()
    assert procfile["release"] == ["penstock", "migrate"]
    # Both refuse SQLite, whose file a restart would delete.
    assert "--no-worker" in procfile["web"]
    assert procfile["worker"] == ["penstock", "worker"]


def test_the_platforms_address_and_port_are_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://user:password@host:5432/name")
    monkeypatch.setenv("PORT", "5123")
    settings = load_settings()
    assert settings.port == 5123
    assert parse_url(settings.database_url).drivername == "postgresql+psycopg"
    monkeypatch.setenv("PENSTOCK_PORT", "9000")
    assert load_settings().port == 9000


def test_the_platforms_description_names_processes_that_exist_and_its_own_fields_only() -> None:
    described = json.loads(_read("app.json"))
    assert set(described) <= {
        "name",
        "description",
        "keywords",
        "website",
        "repository",
        "buildpacks",
        "addons",
        "formation",
        "env",
        "stack",
        "scripts",
    }
    assert set(described["formation"]) == set(_procfile()) - {"release"}
    assert described["addons"] == ["heroku-postgresql"]
    assert all(name.startswith("PENSTOCK_") for name in described["env"])


def test_platforms_install_the_lock_and_the_project() -> None:
    assert "-r requirements/deploy.txt" in _read("requirements.txt").splitlines()
    assert os.access(ROOT / "bin/post_compile", os.X_OK)
    assert _read(".python-version").strip() == "3.11"


def test_the_image_copies_files_that_exist_and_are_not_ignored() -> None:
    sources = [
        word
        for copy in _only("COPY")
        if not copy.startswith("--from")
        for word in copy.split()[:-1]
    ]
    allowed = {line[1:] for line in _read(".dockerignore").splitlines() if line.startswith("!")}
    assert sources
    assert set(sources) == allowed
    assert [source for source in sources if not (ROOT / source).exists()] == []


def test_the_image_runs_locked_packages_as_an_unprivileged_user() -> None:
    assert _only("USER")[-1] == "10001:10001"
    assert any("--require-hashes -r /build/requirements/deploy.txt" in run for run in _only("RUN"))
    assert any("--no-deps --no-build-isolation /build" in run for run in _only("RUN"))
    assert len(_only("FROM")) == 2
    (check,) = _only("HEALTHCHECK")
    program = json.loads(check.partition("CMD ")[2])
    assert program[:2] == ["python", "-c"]
    compile(program[2], "HEALTHCHECK", "exec")
    assert "/livez" in program[2]


@pytest.mark.parametrize("name", sorted(_services()))
def test_a_container_cannot_change_itself_and_has_no_privileges(name: str) -> None:
    service = _compose()["services"][name]
    assert (service["read_only"], service["cap_drop"], service["security_opt"]) == (
        True,
        ["ALL"],
        ["no-new-privileges:true"],
    )


def test_the_compose_file_contains_no_secret_and_does_not_publish_the_database() -> None:
    services = _compose()["services"]
    assert "ports" not in services["database"]
    assert services["serve"]["ports"] == ["127.0.0.1:8000:8000"]
    for service in services.values():
        secret = {
            name: value
            for name, value in service["environment"].items()
            if re.search("PASSWORD|TOKEN|KEY|_URL", name)
        }
        assert all("${" in value and ":?" in value for value in secret.values()), secret


def test_two_workers_wait_for_the_migration_and_every_service_has_a_health_check() -> None:
    services = _compose()["services"]
    assert services["worker"]["deploy"]["replicas"] == 2
    for name in ("serve", "worker"):
        assert services[name]["depends_on"] == {
            "migrate": {"condition": "service_completed_successfully"}
        }
    assert services["migrate"]["depends_on"] == {"database": {"condition": "service_healthy"}}
    assert services["database"]["healthcheck"]["test"]
