"""Tokens, scopes, rates, the hosts that a request may name, and what no log line shows."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from penstock.access.scopes import Scope, Token, digest_of, is_token, new_token
from penstock.api.guard.head import RequestHead
from penstock.api.guard.hosts import Hosts
from penstock.api.guard.rates import Rates
from penstock.errors import ForbiddenHostError, InvalidInputError
from penstock.logs import mask_secrets
from penstock.settings import load_settings


def test_a_mistyped_token_is_recognised_by_its_form() -> None:
    token = new_token()
    assert token.startswith("pst_")
    assert is_token(token)
    swapped = token[:10] + ("b" if token[10] == "a" else "a") + token[11:]
    for wrong in (
        swapped,
        token[:-1],
        token + "0",
        token.removeprefix("pst_"),
        "",
        "pst_",
        "é" * 53,
    ):
        assert not is_token(wrong)


def test_tokens_are_unique_and_a_digest_reveals_nothing() -> None:
    tokens = {new_token() for _ in range(1_000)}
    assert len({digest_of(token) for token in tokens}) == 1_000
    assert {len(token) for token in tokens} == {53}
    assert not [token for token in tokens if token[4:20] in digest_of(token)]


def test_each_scope_includes_the_lower_ones() -> None:
    held = {scope: {other for other in Scope if scope.covers(other)} for scope in Scope}
    assert held == {
        Scope.READ: {Scope.READ},
        Scope.OPERATE: {Scope.READ, Scope.OPERATE},
        Scope.ADMIN: set(Scope),
    }


def test_a_token_works_until_it_expires_or_is_revoked() -> None:
    token = Token(id=1, name="bot", scope=Scope.READ, created_at=0, expires_at=1_000)
    assert token.works_at(999)
    assert not token.works_at(1_000)
    assert not Token(id=1, name="bot", scope=Scope.READ, created_at=0, revoked_at=5).works_at(4)


def test_only_callers_that_ask_too_often_have_to_wait() -> None:
    now = 1_000.0
    rates = Rates(60, clock=lambda: now)
    for _ in range(60):
        assert rates.wait_s("one") == 0
        rates.count("one")
    assert 0.9 < rates.wait_s("one") <= 1
    assert rates.wait_s("another") == 0
    now += 1
    assert rates.wait_s("one") == 0


def test_any_number_of_addresses_needs_bounded_memory() -> None:
    rates = Rates(60)
    for number in range(25_000):
        rates.count(str(number))
    assert len(rates) == 10_000


def _asked(host: str, origin: str | None = None) -> RequestHead:
    headers = [(b"host", host.encode())] + (
        [] if origin is None else [(b"origin", origin.encode())]
    )
    return RequestHead({"type": "http", "path": "/", "headers": headers})


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("127.0.0.1:8000", None),
        ("[::1]:8000", None),
        ("LOCALHOST:8000", "http://localhost:8000"),
        ("penstock.example:443", "https://penstock.example"),
        ("192.0.2.7:8000", None),
    ],
)
def test_requests_under_the_own_names_of_a_service_are_accepted(
    host: str, origin: str | None
) -> None:
    Hosts("192.0.2.7", ["Penstock.example"]).check(_asked(host, origin))


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("evil.example", None),
        ("penstock.example.evil.example", None),
        ("", None),
        ("0.0.0.0:8000", None),
        ("127.0.0.1", "https://evil.example"),
        ("127.0.0.1", "null"),
        ("127.0.0.1:8000", "http://127.0.0.1:3000"),
        ("localhost:8000", "http://localhost"),
    ],
)
def test_a_request_meant_for_another_site_is_refused(host: str, origin: str | None) -> None:
    with pytest.raises(ForbiddenHostError, match="PENSTOCK_ALLOWED_HOSTS"):
        Hosts("0.0.0.0", ["penstock.example"]).check(_asked(host, origin))  # noqa: S104 - as above


def test_with_any_host_allowed_a_foreign_origin_is_still_refused() -> None:
    hosts = Hosts("0.0.0.0", ["*"])  # noqa: S104 - as above
    hosts.check(_asked("anything.example", "https://anything.example"))
    with pytest.raises(ForbiddenHostError):
        hosts.check(_asked("anything.example", "https://evil.example"))


def test_no_log_line_shows_a_secret() -> None:
    canary = "canary-4711"
    line = {
        "event": f"cannot reach postgresql://me:{canary}@db/x with {new_token()}",
        "Authorization": f"Bearer {canary}",
        "signing_key": canary,
        "settings": {
            "secret_key": canary,
            "urls": [f"https://me:{canary}@hooks.example/x"],
            "admin_tokens": [canary],
        },
        "error": ValueError(f"redis://:{canary}@cache"),
        "exception": f"Traceback\n  https://user:{canary}@host/path",
        "attempt": 3,
    }
    masked = mask_secrets(None, "info", dict(line))
    assert canary not in str(masked)
    assert "pst_" not in str(masked)
    assert (masked["attempt"], masked["event"]) == (
        3,
        "cannot reach postgresql://me:***@db/x with ***",
    )


_LOG = """
import structlog
from penstock.logs import log_to_stderr
log_to_stderr("info")
try:
    raise ValueError("cannot reach postgresql://me:canary-4711@db/x")
except ValueError:
    structlog.get_logger().exception("failed", token="canary-4711")
"""


def test_log_lines_pass_through_the_mask() -> None:
    ended = subprocess.run([sys.executable, "-c", _LOG], capture_output=True, text=True, check=True)
    assert (
        "ValueError: cannot reach postgresql://me:***@db/x" in json.loads(ended.stderr)["exception"]
    )
    assert "canary-4711" not in ended.stderr + ended.stdout


@pytest.mark.parametrize("wrong", ["short", "x" * 31, "ü" * 40])
def test_a_weak_admin_token_is_refused_and_not_shown(wrong: str) -> None:
    with pytest.raises(
        InvalidInputError, match="admin_token: it needs at least 32 ASCII characters"
    ) as refused:
        load_settings(admin_token=wrong)
    assert wrong not in str(refused.value)
