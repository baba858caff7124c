"""Schemathesis asks every route of the OpenAPI document what it can think of: no 5xx, no status and no body that is not documented."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.api.service import served

_PROGRAM = Path(sys.executable).parent / "schemathesis"
_ADMIN = "an-admin-token-of-a-deployment-4711"
_SEED = "20261122"
# Both runs together stay below a minute, on two cores that others use too.
_EXAMPLES = "12"
_CHECKS = ("not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance", "unsupported_method")
_DEADLINE_S = 240


# Without a token nothing is asked that would make one: from then on everything else is refused.
_LOCAL = ("--exclude-path", "/api/v1/admin/tokens")
_TOKEN = ("--header", f"Authorization: Bearer {_ADMIN}")


@pytest.mark.parametrize("options", [_LOCAL, _TOKEN], ids=["local", "token"])
def test_schemathesis_finds_nothing_that_is_not_documented(sqlite_database: str, tmp_path: Path, options: tuple[str, str]) -> None:
    given: dict[str, Any] = {"requests_per_minute": 1_000_000} | ({"admin_token": _ADMIN} if options is _TOKEN else {})
    with served(sqlite_database, **given) as url:
        command = [str(_PROGRAM), "run", f"{url}/openapi.json", "--phases", "examples,coverage,fuzzing,stateful", "--seed", _SEED]
        command += ["--checks", ",".join(_CHECKS), "--max-examples", _EXAMPLES, "--continue-on-failure", "--request-timeout", "60"]
        command += ["--no-shrink", "--warnings", "off", *options]
        environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "NO_COLOR": "1"}
        ended = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, timeout=_DEADLINE_S, check=False)
    assert ended.returncode == 0, ended.stdout[-8_000:] + ended.stderr[-2_000:]
    assert not re.search(r"\b0 generated", ended.stdout)
