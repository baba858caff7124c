"""Signing in to the dashboard: the cookie, the key in the printed address, and its files."""

from __future__ import annotations

import gzip
import re
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from penstock.access.scopes import Scope
from penstock.api.guard import peer
from penstock.api.guard.scopes import DOCS, PAGES
from tests.api.collector import Collector, collector
from tests.api.guarded import ADMIN, REFRESH, TASKS, WS, bearer, made_token, status_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_SESSION = "/api/v1/session"
_STRANGER = {"scope": None, "signed_in": False}


async def _session(
    service: Collector, headers: Mapping[str, str], method: str = "GET"
) -> tuple[Any, str]:
    """The session that is answered, and the cookie that is set, with its attributes."""
    async with service.session.request(method, _SESSION, headers=headers) as answer:
        return await answer.json(), answer.headers.get("Set-Cookie", "")


def _with(cookie: str, **more: str) -> dict[str, str]:
    return {"Cookie": cookie.partition(";")[0], **more}


async def _closed(service: Collector) -> None:
    """Make every request need a token."""
    await made_token(service, Scope.READ)
    await service.until(lambda: status_of(service), lambda status: status == 401)


async def test_a_token_is_exchanged_for_a_cookie_of_its_scope(sqlite_database: str) -> None:
    async with collector(sqlite_database, work=False) as service:
        await _closed(service)
        _, token = await made_token(service, Scope.OPERATE)
        assert await _session(service, {}) == (_STRANGER, "")
        session, cookie = await _session(service, token, "POST")
        assert session == {"scope": "operate", "signed_in": True}
        port = service.url.rpartition(":")[2]
        assert re.fullmatch(
            rf"penstock_session_{port}=pst_\w+; HttpOnly; Max-Age=2592000; Path=/; SameSite=strict",
            cookie,
        )
        assert await _session(service, _with(cookie)) == (session, "")
        assert await status_of(service, headers=_with(cookie)) == 200
        own = _with(cookie, Origin=service.url)
        assert await status_of(service, REFRESH, "POST", own) == 202
        assert await status_of(service, "/api/v1/admin/tokens", headers=own) == 403
        async with service.session.ws_connect(WS, headers=own):
            pass


@pytest.mark.parametrize("origin", [{}, {"Origin": "null"}, {"Origin": "http://127.0.0.1:1"}])
async def test_a_cookie_changes_and_follows_nothing_for_pages_of_others(
    sqlite_database: str, origin: dict[str, str]
) -> None:
    async with collector(sqlite_database, work=False) as service:
        await _closed(service)
        _, token = await made_token(service, Scope.ADMIN)
        _, cookie = await _session(service, token, "POST")
        others = _with(cookie, **origin)
        assert await status_of(service, REFRESH, "POST", others) == 403
        with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
            await service.session.ws_connect(WS, headers=others)
        # A token in the header is sent by programs, which name no page.
        assert await status_of(service, REFRESH, "POST", {**token, "Cookie": cookie}) == 202


async def test_a_cookie_whose_token_was_revoked_makes_a_stranger_who_can_sign_in(
    sqlite_database: str,
) -> None:
    async with collector(sqlite_database, work=False, admin_token=ADMIN) as service:
        token_id, token = await made_token(service, Scope.ADMIN)
        _, cookie = await _session(service, token, "POST")
        await service.app.tokens.revoke(token_id)
        await service.until(
            lambda: status_of(service, headers=_with(cookie)), lambda status: status == 401
        )
        # A late answer that deleted it would end the session of the next sign-in.
        for _ in range(31):
            assert await _session(service, _with(cookie)) == (_STRANGER, "")
        assert await status_of(service, "/", headers=_with(cookie)) == 200
        session, _ = await _session(service, bearer(ADMIN), "POST")
        assert session["signed_in"]


async def test_signing_out_deletes_the_cookie_and_leaves_the_token(sqlite_database: str) -> None:
    async with collector(sqlite_database, work=False) as service:
        await _closed(service)
        _, token = await made_token(service, Scope.READ)
        _, cookie = await _session(service, token, "POST")
        headers = _with(cookie, Origin=service.url)
        async with service.session.delete(_SESSION, headers=headers) as answer:
            assert answer.status == 204
            assert "Max-Age=0" in answer.headers["Set-Cookie"]
        assert await status_of(service, headers=token) == 200


async def test_wrong_cookies_slow_down_who_guesses_the_token_of_the_settings(
    sqlite_database: str,
) -> None:
    async with collector(sqlite_database, work=False, admin_token=ADMIN) as service:
        port = service.url.rpartition(":")[2]
        right = {"Cookie": f"penstock_session_{port}={ADMIN}"}
        assert await status_of(service, headers=right) == 200
        for number in range(30):
            wrong = {"Cookie": f"penstock_session_{port}=guess-{number}"}
            assert await status_of(service, headers=wrong) == 401
        assert await status_of(service, headers=right) == 429
        assert await status_of(service, TASKS, headers=bearer(ADMIN)) == 429


async def test_the_token_of_the_settings_may_have_any_sign(sqlite_database: str) -> None:
    token = 'with;signs,"that=a\\cookie%cannot&have+'
    async with collector(sqlite_database, work=False, admin_token=token) as service:
        _, cookie = await _session(service, bearer(token), "POST")
        assert await _session(service, _with(cookie)) == ({"scope": "admin", "signed_in": True}, "")


async def test_an_open_service_lets_in_its_user_whatever_cookie_is_left(
    sqlite_database: str,
) -> None:
    async with collector(sqlite_database, work=False) as service:
        port = service.url.rpartition(":")[2]
        left = {"Cookie": f"penstock_session_{port}=pst_of_long_ago", "Origin": service.url}
        assert await _session(service, left) == ({"scope": "admin", "signed_in": False}, "")
        assert await status_of(service, REFRESH, "POST", left) == 202


async def test_the_printed_address_lets_in_one_page_where_users_cannot_be_told(
    sqlite_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(peer, "user_of", lambda *_: None)
    async with collector(sqlite_database, work=False) as service:
        address, _, key = service.page.partition("/#key=")
        assert address == service.url
        assert await status_of(service) == 401
        assert key
        session, cookie = await _session(service, bearer(key), "POST")
        assert session == {"scope": "admin", "signed_in": True}
        assert key not in cookie
        assert await status_of(service, headers=_with(cookie)) == 200
        async with service.session.post(_SESSION, headers=bearer(key)) as answer:
            assert answer.status == 401


async def test_every_page_is_the_shell_with_a_nonce_of_its_own(sqlite_database: str) -> None:
    async with collector(sqlite_database, work=False) as service:
        await _closed(service)
        nonces = set()
        for page in (*PAGES, DOCS):
            async with service.session.get(f"/{page}") as answer:
                assert answer.status == 200
                assert answer.content_type == "text/html"
                text, policy = await answer.text(), answer.headers["Content-Security-Policy"]
            [nonce] = re.findall(r"style-src 'self' 'nonce-([\w-]+)'", policy)
            assert set(re.findall('nonce="([^"]*)"', text)) == {nonce}
            assert "script-src 'self';" in policy
            nonces.add(nonce)
        assert len(nonces) == len(PAGES) + 1


async def test_an_unknown_address_is_a_page_to_browsers_and_json_to_others(
    sqlite_database: str,
) -> None:
    browser = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    types = {}
    async with collector(sqlite_database, work=False) as service:
        for path in ("/nothing", "/runs/a/b", "/api/v1/nothing", "/api"):
            for headers in (browser, {"Accept": "*/*"}):
                async with service.session.get(path, headers=headers) as answer:
                    assert answer.status == 404, path
                    types[path, headers["Accept"][:9]] = answer.content_type
        async with service.session.post("/nothing", headers=browser) as answer:
            assert (answer.status, answer.content_type) == (404, "application/problem+json")
        async with service.session.get(REFRESH, headers=browser) as answer:
            assert (answer.status, answer.content_type) == (405, "application/problem+json")
    pages = {place for place, kind in types.items() if kind == "text/html"}
    assert pages == {("/nothing", "text/html"), ("/runs/a/b", "text/html"), ("/api", "text/html")}
    assert set(types.values()) == {"text/html", "application/problem+json"}


async def test_the_licences_of_what_is_built_in_can_be_read(sqlite_database: str) -> None:
    async with (
        collector(sqlite_database, work=False) as service,
        service.session.get("/licences.txt") as answer,
    ):
        assert (answer.status, answer.content_type) == (200, "text/plain")
        assert "react 19" in await answer.text()


async def test_files_are_packed_and_kept_and_others_are_not_found(sqlite_database: str) -> None:
    async with collector(sqlite_database, work=False) as service:
        async with service.session.get("/") as answer:
            [script] = re.findall(r'src="(/assets/[\w.-]+\.js)"', await answer.text())
        answers = {}
        for encoding in ("gzip", "identity"):
            headers = {"Accept-Encoding": encoding}
            async with service.session.get(script, headers=headers) as answer:
                assert answer.status == 200
                assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
                assert "javascript" in answer.content_type
                answers[encoding] = int(answer.headers["Content-Length"]), await answer.read()
        assert answers["gzip"][1] == answers["identity"][1]
        assert answers["gzip"][0] < answers["identity"][0] / 2
        assert len(gzip.compress(answers["identity"][1], mtime=0)) == answers["gzip"][0]
        hidden = ("index.html", "docs.html", "licences.txt", "none.js", "..%2findex.html")
        for name in hidden:
            assert await status_of(service, f"/assets/{name}") == 404
        assert await status_of(service, "/nothing") == 404
