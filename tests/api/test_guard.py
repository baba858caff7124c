"""The guard: which requests are accepted, and the cost of refusing others."""

from __future__ import annotations

import asyncio
import itertools
import re
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from penstock.access.scopes import Scope, new_token
from penstock.api.application import ApiOptions, create_api
from penstock.api.guard import known
from penstock.api.guard.scopes import ASSETS, FILES, OPEN, needed
from penstock.api.server import refuse_open_door
from penstock.app import open_app
from penstock.errors import InvalidInputError
from penstock.settings import load_settings
from tests.api.collector import PATIENCE_S, collector
from tests.api.guarded import ADMIN, REFRESH, TASKS, TOKENS, WS, bearer, made_token, status_of
from tests.postgres_server import away

if TYPE_CHECKING:
    from collections.abc import Iterable

    from penstock.settings import Settings
    from tests.api.collector import Collector


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read tokens often, so that changes of another process are seen soon."""
    monkeypatch.setattr(known, "_AGAIN_S", 0.1)
    monkeypatch.setattr(known, "_LOOK_S", 0.1)


async def _until(service: Collector, status: int, **given: Any) -> None:
    await service.until(lambda: status_of(service, **given), lambda found: found == status)


def _routes(routes: Iterable[Any]) -> set[tuple[str, str]]:
    """Method and path of every route, including those of included routers."""
    found = set()
    for route in routes:
        if (path := getattr(route, "path", None)) is not None:
            found |= {(method, path) for method in getattr(route, "methods", None) or {"WEBSOCKET"}}
        found |= _routes(getattr(getattr(route, "original_router", None), "routes", ()))
    return found


async def _asked(service: Collector, method: str, path: str, headers: dict[str, str]) -> int:
    path = re.sub(r"\{[a-z_]*\}", "2000000000", path)
    if method != "WEBSOCKET":
        return await status_of(service, path, method, headers)
    try:
        async with service.session.ws_connect(path, headers=headers):
            return 101
    except aiohttp.WSServerHandshakeError as refused:
        return refused.status


async def test_every_route_has_a_scope_and_refuses_lower_scopes(
    sqlite_database: str,
) -> None:
    async with collector(sqlite_database, work=False) as service:
        routes = _routes(create_api(service.app, service.app.ledger, ApiOptions()).routes)
        assert {
            ("GET", "/livez"),
            ("POST", REFRESH),
            ("DELETE", TOKENS + "/{token_id}"),
            ("GET", "/openapi.json"),
            ("WEBSOCKET", WS),
        } <= routes
        headers = {scope: (await made_token(service, scope))[1] for scope in Scope}
        await service.until(lambda: status_of(service), lambda status: status == 401)
        for method, path in sorted(routes):
            scope = needed("GET" if method == "WEBSOCKET" else method, path)
            if scope is None:
                assert path in OPEN or path.split("/")[1] in FILES
                found = 404 if path.startswith(f"/{ASSETS}/") else 200
                assert await _asked(service, method, path, {}) == found
                continue
            assert await _asked(service, method, path, {}) == 401, (method, path)
            for held, header in headers.items():
                status = await _asked(service, method, path, header)
                assert (status in {401, 403}) == (not held.covers(scope)), (method, path, held)
                assert status != 401


async def test_the_method_decides_the_scope_except_for_routes_with_secrets() -> None:
    assert needed("GET", TASKS) is needed("HEAD", TASKS) is Scope.READ
    assert (
        needed("POST", REFRESH)
        is needed("PUT", "/api/v1/admin/data-collection/configs/1")
        is Scope.OPERATE
    )
    assert (
        needed("GET", TOKENS)
        is needed("GET", TOKENS + "/1")
        is needed("POST", "/api/v1/admin/alerts/targets")
        is Scope.ADMIN
    )
    assert needed("GET", TOKENS + "x") is Scope.READ
    assert (
        needed("POST", "/api/v1/inventory/accounts")
        is needed("DELETE", "/api/v1/inventory/accounts/1")
        is Scope.ADMIN
    )
    assert needed("PUT", "/api/v1/inventory/accounts/1") is Scope.ADMIN
    assert (
        needed("GET", "/api/v1/inventory/accounts")
        is needed("GET", "/api/v1/inventory/syncs/1/diff")
        is Scope.READ
    )
    assert (
        needed("POST", "/api/v1/inventory/accounts/1/sync")
        is needed("POST", "/api/v1/inventory/syncs/1/approve")
        is Scope.OPERATE
    )
    assert (
        needed("POST", "/api/v1/inventory/catalog")
        is needed("POST", "/api/v1/inventory/accountsx")
        is Scope.OPERATE
    )
    assert needed("OPTIONS", "/livez") is needed("POST", "/readyz") is Scope.OPERATE


async def test_this_machine_needs_no_token_until_one_is_created(database_url: str) -> None:
    async with collector(database_url, work=False) as service:
        assert await status_of(service) == 200
        assert (await service.call("GET", TOKENS)) == (200, [])
        async with service.session.ws_connect(WS) as ws:
            token_id, header = await made_token(service, Scope.READ)
            # A token created by another process is known within seconds.
            await _until(service, 401)
            async with asyncio.timeout(PATIENCE_S):
                assert (await ws.receive())[:2] == (aiohttp.WSMsgType.CLOSE, 1008)
        assert await status_of(service, headers=header) == 200
        # Revoking the last token does not open the service.
        await service.app.tokens.revoke(token_id)
        await _until(service, 401, headers=header)
        assert await status_of(service) == 401


async def test_a_request_through_a_proxy_does_not_count_as_local(sqlite_database: str) -> None:
    async with collector(sqlite_database, work=False) as service:
        for name in ("Forwarded", "X-Forwarded-For", "Via"):
            assert await status_of(service) == 200
            assert await status_of(service, headers={name: "127.0.0.1"}) == 401, name


async def test_a_token_works_at_once_where_it_was_created_and_is_shown_once(
    sqlite_database: str,
) -> None:
    async with collector(sqlite_database, work=False) as service:
        status, made = await service.call(
            "POST", TOKENS, {"name": "bot", "scope": "admin", "expires_in_s": 3_600}
        )
        assert (status, made["scope"], made["revoked_at"]) == (201, "admin", None)
        header = bearer(made["token"])
        assert await status_of(service) == 401
        async with service.session.get(TOKENS, headers=header) as answer:
            assert [token["name"] for token in await answer.json()] == ["bot"]
            assert made["token"] not in await answer.text()
        assert await status_of(service, f"{TOKENS}/{made['id']}", "DELETE", header) == 204
        assert await status_of(service, headers=header) == 401


async def test_a_token_created_by_another_process_is_found_on_first_use(database_url: str) -> None:
    async with collector(database_url, work=False) as service:
        await made_token(service, Scope.READ)
        await _until(service, 401)
        _, header = await made_token(service, Scope.OPERATE)
        await _until(service, 202, path=REFRESH, method="POST", headers=header)


async def test_the_guard_refuses_an_expired_token(
    sqlite_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with collector(sqlite_database, work=False) as service:
        _, header = await made_token(service, Scope.READ, expires_in_s=1)
        await _until(service, 401, headers=header)
        _, header = await made_token(service, Scope.READ, expires_in_s=3_600)
        assert await status_of(service, headers=header) == 200
        in_an_hour = SimpleNamespace(time=lambda: time.time() + 3_600, monotonic=time.monotonic)
        monkeypatch.setattr(known, "time", in_an_hour)
        assert await status_of(service, headers=header) == 401


async def test_the_admin_token_of_a_deployment_is_required_and_accepted(
    sqlite_database: str,
) -> None:
    async with collector(sqlite_database, work=False, admin_token=ADMIN) as service:
        assert await status_of(service) == 401
        assert await status_of(service, TOKENS, headers=bearer(ADMIN)) == 200
        assert await status_of(service, headers=bearer(ADMIN + "x")) == 401
        async with service.session.ws_connect(WS, headers=bearer(ADMIN)):
            pass


NO_TOKENS = (
    "Bearer",
    "Bearer ",
    "Basic abc",
    ADMIN + " ",
    f"Bearer {new_token()}",
    "Bearer \xff",
    "Bearer pst_",
)


async def test_a_malformed_token_is_refused_with_the_authentication_scheme(
    sqlite_database: str, subtests: pytest.Subtests
) -> None:
    async with collector(sqlite_database, work=False, admin_token=ADMIN) as service:
        for header, path in itertools.product(NO_TOKENS, (TASKS, "/readyz", "/nothing")):
            with subtests.test(f"{header!r} {path}"):
                async with service.session.get(path, headers={"Authorization": header}) as answer:
                    assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
                    assert (await answer.json())["code"] == "unauthorized"


async def test_callers_without_a_token_learn_only_whether_the_service_is_ready(
    sqlite_database: str,
) -> None:
    async with collector(sqlite_database, work=False, admin_token=ADMIN) as service:
        for path in OPEN:
            told = {"scope": None, "signed_in": False} if "session" in path else {"status": "ok"}
            async with service.session.get(path) as answer:
                assert (answer.status, await answer.json()) == (200, told)
        async with service.session.get("/readyz", headers=bearer(ADMIN)) as answer:
            assert (await answer.json())["database"] == "ok"
        assert await status_of(service, "/metrics") == 401
        assert await status_of(service, "/metrics", headers=bearer(ADMIN)) == 200


async def test_while_the_database_is_unavailable_known_tokens_can_only_read(
    postgres_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known, "_STALE_S", 0.0)
    async with collector(
        postgres_database, work=False, admin_token=ADMIN, database_timeout_s=2
    ) as service:
        with away(postgres_database):
            async with service.session.get("/readyz") as answer:
                assert (answer.status, (await answer.json())["detail"]) == (
                    503,
                    "the service is not ready",
                )
            assert await status_of(service, "/metrics", headers=bearer(ADMIN)) == 200
            async with service.session.post(REFRESH, headers=bearer(ADMIN)) as answer:
                assert (answer.status, (await answer.json())["code"]) == (
                    503,
                    "database_unavailable",
                )
                assert int(answer.headers["Retry-After"]) >= 1
        await _until(service, 202, path=REFRESH, method="POST", headers=bearer(ADMIN))


async def test_the_last_use_of_a_token_is_recorded_outside_the_request(
    sqlite_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known, "_NOTE_USED_S", 0.0)
    async with collector(sqlite_database, work=False, admin_token=ADMIN) as service:
        _, header = await made_token(service, Scope.READ)
        await _until(service, 200, headers=header)
        [token] = await service.until(
            service.app.tokens.listed, lambda tokens: tokens[0].last_used_at
        )
        assert token.last_used_at is not None


async def test_a_service_reachable_by_others_does_not_start_without_a_token(
    sqlite_database: str,
) -> None:
    settings = load_settings(sqlite_database=sqlite_database, host="0.0.0.0")  # noqa: S104
    async with open_app(settings) as app:
        for host in ("0.0.0.0", "::", "192.0.2.1", "example.org", "127.0.0.2"):  # noqa: S104
            with pytest.raises(
                InvalidInputError,
                match=r"can be reached from other machines.*token create.*PENSTOCK_ADMIN_TOKEN",
            ):
                await refuse_open_door(_listening_on(settings, host))
        for host in ("127.0.0.1", "localhost", "::1", "[::1]"):
            await refuse_open_door(_listening_on(settings, host))
        token, _ = await app.tokens.create("bot", Scope.READ, expires_in_s=None)
        await refuse_open_door(_listening_on(settings, "192.0.2.1"))
        await app.tokens.revoke(token.id)
        with pytest.raises(InvalidInputError, match="no token that works"):
            await refuse_open_door(_listening_on(settings, "192.0.2.1"))


def _listening_on(settings: Settings, host: str) -> Settings:
    return settings.model_copy(update={"host": host})


async def test_a_websocket_accepts_its_token_as_a_header_or_as_a_subprotocol(
    sqlite_database: str,
) -> None:
    async with collector(sqlite_database, work=False, admin_token=ADMIN) as service:
        token, secret = await service.app.tokens.create("page", Scope.READ, expires_in_s=None)
        offered = f"penstock.bearer.{secret}"
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await service.session.ws_connect(WS)
        assert refused.value.status == 401
        async with service.session.ws_connect(WS, headers=bearer(secret)) as ws:
            assert ws.protocol is None
        async with service.session.ws_connect(WS, protocols=("penstock", offered)) as ws:
            assert ws.protocol == offered
            await service.app.tokens.revoke(token.id)
            async with asyncio.timeout(PATIENCE_S):
                assert (await ws.receive())[:2] == (aiohttp.WSMsgType.CLOSE, 1008)
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await service.session.ws_connect(WS, protocols=(offered,))
        assert refused.value.status == 401
