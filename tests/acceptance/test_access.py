"""A service that others can reach: refused, used, revoked and restarted by its operator."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
from typing import TYPE_CHECKING

import aiohttp

from penstock.access.vault import new_key
from tests.acceptance.commands import url_in

if TYPE_CHECKING:
    from tests.acceptance.commands import Penstock

_SERVE = ("serve", "--host", "0.0.0.0", "--port", "0")  # noqa: S104 - the subject of this test
_PATIENCE_S = 60
_TASKS = "/api/v1/data-collector/tasks"
_REFRESH = "/api/v1/data-collector/refresh-symbols"


async def _status(url: str, token: str | None, method: str = "GET", path: str = _TASKS) -> int:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, url + path, headers=headers) as answer,
    ):
        return answer.status


async def _token(penstock: Penstock, scope: str, *more: str) -> str:
    ended = await penstock("token", "create", "--name", scope, "--scope", scope, *more)
    assert ended.code == 0, ended.err
    return ended.out.strip()


async def test_a_service_is_opened_to_others_by_tokens(
    penstock: Penstock, database_url: str
) -> None:
    penstock = penstock.with_settings(database_url=database_url)
    refused = await penstock(*_SERVE)
    assert refused.code == 2
    assert "penstock token create --name me --scope admin" in refused.complaint

    admin, read = (
        await _token(penstock, "admin", "--expires", "90d"),
        await _token(penstock, "read"),
    )
    owner = penstock.with_settings(token=admin)
    async with penstock.started(*_SERVE) as serving:
        url = url_in(await serving.says("Penstock serves at"))
        assert [await _status(url, token) for token in (admin, read, "wrong", None)] == [
            200,
            200,
            401,
            401,
        ]
        assert [await _status(url, token, "POST", _REFRESH) for token in (read, "wrong")] == [
            403,
            401,
        ]
        assert await _status(url, admin, "POST", _REFRESH) in {202, 409}

        assert (await owner("tasks", "--url", url, "--json")).code == 0
        nobody, reader = (
            await penstock("tasks", "--url", url),
            await penstock.with_settings(token=read)("cancel", "0" * 32, "--url", url),
        )
        assert (nobody.code, reader.code) == (7, 7)
        assert nobody.complaint.endswith("commands send the token of PENSTOCK_TOKEN")
        assert "needs a token with the scope operate" in reader.complaint

        # On SQLite through the service, which owns the file; on PostgreSQL directly.
        operate = await _token(owner, "operate")
        assert await _status(url, operate, "POST", _REFRESH) in {202, 409}
        assert (await serving.ended(signal.SIGTERM)).code == 0

    async with penstock.started(*_SERVE) as serving:
        url = url_in(await serving.says("Penstock serves at"))
        assert [await _status(url, token) for token in (admin, read, operate, None)] == [
            200,
            200,
            200,
            401,
        ]
        listed = {
            token["name"]: token for token in (await penstock("token", "list", "--json")).json
        }
        assert {name: token["scope"] for name, token in listed.items()} == {
            name: name for name in ("admin", "read", "operate")
        }
        assert listed["admin"]["expires_at"] > listed["admin"]["created_at"]

        assert (await owner("token", "revoke", str(listed["read"]["id"]))).code == 0
        async with asyncio.timeout(_PATIENCE_S):
            while await _status(url, read) != 401:
                await asyncio.sleep(0.1)
        assert await _status(url, admin) == 200
        ended = await serving.ended(signal.SIGTERM)
    assert not [token for token in (admin, read, operate) if token in ended.out + ended.err]


async def test_the_admin_token_of_a_deployment_is_enough(
    penstock: Penstock, sqlite_database: str
) -> None:
    penstock = penstock.with_settings(database_url=sqlite_database)
    weak = await penstock.with_settings(admin_token="too short")(*_SERVE)
    assert (weak.code, "too short" in weak.err) == (2, False)
    assert "PENSTOCK_ADMIN_TOKEN: it needs at least 32 ASCII characters" in weak.complaint
    secret = "the-admin-token-of-this-deployment-1"
    async with penstock.with_settings(admin_token=secret, allowed_hosts="penstock.example").started(
        *_SERVE
    ) as serving:
        url = url_in(await serving.says("Penstock serves at"))
        assert [await _status(url, token) for token in (secret, None, secret + "x")] == [
            200,
            401,
            401,
        ]
        async with aiohttp.ClientSession(
            url, headers={"Authorization": f"Bearer {secret}"}
        ) as session:
            for host, status in (("penstock.example", 200), ("other.example", 403)):
                async with session.get(_TASKS, headers={"Host": host}) as answer:
                    assert answer.status == status
        ended = await serving.ended(signal.SIGTERM)
    assert secret not in ended.out + ended.err


async def test_a_token_command_names_bad_input_and_changes_nothing(penstock: Penstock) -> None:
    refused = {
        ("create", "--name", "", "--scope", "read"): "name: ",
        ("create", "--name", "x" * 51, "--scope", "read"): "name: ",
        ("create", "--name", "a\nb", "--scope", "read"): "name: ",
        ("create", "--name", "bot", "--scope", "root"): "--scope",
        ("create", "--name", "bot", "--scope", "read", "--expires", "soon"): "expires: ",
        ("create", "--name", "bot", "--scope", "read", "--expires", "0d"): "expires: ",
        ("create", "--name", "bot", "--scope", "read", "--expires", "4000d"): "expires: ",
        ("revoke", str(2**63)): "ID",
        ("revoke", "-1"): "see penstock token revoke --help",
    }
    for words, complaint in refused.items():
        ended = await penstock("token", *words)
        assert (ended.code, complaint in ended.complaint) == (2, True), (words, ended)
    assert not penstock.data.exists()
    unknown = await penstock("token", "revoke", "7")
    assert (unknown.code, unknown.complaint.startswith("there is no token 7")) == (2, True)


async def test_the_doctor_reports_a_wrong_key_and_shows_no_secret(
    penstock: Penstock, sqlite_database: str
) -> None:
    penstock = penstock.with_settings(database_url=sqlite_database)
    await penstock("migrate")
    with sqlite3.connect(sqlite_database.removeprefix("sqlite:///")) as file:
        file.execute(
            "INSERT INTO alert_target (name, kind, url, shown, created_at)"
            " VALUES ('x', 'webhook', 'sealed', 'x', 0)"
        )
    file.close()
    key = new_key()
    report = await penstock.with_settings(secret_key=key, admin_token="x" * 40)("doctor")
    assert report.code == 1
    assert (
        "secrets: PENSTOCK_SECRET_KEY: the secrets in this database were encrypted with another key"
        in report.out
    )
    assert not [secret for secret in (key, "x" * 40) if secret in report.out + report.err]
    rotated = await penstock.with_settings(secret_key=key)("rotate-key")
    assert rotated.code == 2
    assert "encrypted with another key" in rotated.complaint


async def test_a_key_can_be_rotated_before_there_is_anything_to_seal(
    penstock: Penstock, sqlite_database: str
) -> None:
    ended = await penstock.with_settings(database_url=sqlite_database)("rotate-key")
    assert (ended.code, ended.out) == (
        0,
        "0 secrets sealed with the newest key; older keys are no longer needed\n",
    )
