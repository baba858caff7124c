"""Schemathesis calls every route of the OpenAPI document: all answers are documented, none 5xx."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.api.service import served

if TYPE_CHECKING:
    from tests.conftest import Say
    from tests.trials import Trials

_PROGRAM = Path(sys.executable).parent / "schemathesis"
_ROOT = Path(__file__).resolve().parents[2]
_ADMIN = "an-admin-token-of-a-deployment-4711"
_CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "unsupported_method",
)
# The number of generated requests for each route.
_EXAMPLES = (2, 12)
_DEADLINE_S = 1_800


# Without a token no request may create one: every later request would be refused.
_LOCAL = ("--exclude-path", "/api/v1/admin/tokens")
_TOKEN = ("--header", f"Authorization: Bearer {_ADMIN}")


@pytest.mark.parametrize("options", [_LOCAL, _TOKEN], ids=["local", "token"])
def test_schemathesis_finds_no_undocumented_answer(
    sqlite_database: str, tmp_path: Path, options: tuple[str, str], trials: Trials, say: Say
) -> None:
    given: dict[str, Any] = {"requests_per_minute": 1_000_000} | (
        {"admin_token": _ADMIN} if options is _TOKEN else {}
    )
    # The coverage phase is most of the work and the same in both cases.
    phases = [
        "examples",
        "fuzzing",
        "stateful",
        *(["coverage"] if options is _TOKEN or trials.full else []),
    ]
    with served(sqlite_database, **given) as url:
        command = [
            str(_PROGRAM),
            "run",
            f"{url}/openapi.json",
            "--phases",
            ",".join(phases),
            "--seed",
            str(trials.seed),
        ]
        command += [
            "--checks",
            ",".join(_CHECKS),
            "--max-examples",
            str(trials.of(*_EXAMPLES)),
            "--continue-on-failure",
            "--request-timeout",
            "60",
        ]
        command += ["--no-shrink", "--warnings", "off", *options]
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "NO_COLOR": "1",
            "PYTHONPATH": str(_ROOT),
        }
        environment |= {"SCHEMATHESIS_HOOKS": "tests.api.schemathesis_hooks"}
        ended = subprocess.run(
            command,
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=environment,
            timeout=_DEADLINE_S,
            check=False,
        )
    assert ended.returncode == 0, ended.stdout[-8_000:] + ended.stderr[-2_000:]
    generated = re.search(r"(\d+) generated", ended.stdout)
    assert generated, ended.stdout[-8_000:]
    assert int(generated[1]) > (1_000 if "coverage" in phases else 50)
    say(f"{generated[1]} requests of {', '.join(phases)}, seed {trials.seed}")
