"""The guard's rate limits, and its security headers for browsers."""

from __future__ import annotations

from functools import partial

import pytest

from penstock.access.scopes import Scope
from penstock.api import guard
from penstock.api.guard.rates import Rates, client_of
from penstock.errors import InvalidInputError
from penstock.settings import load_settings
from tests.api.collector import collector
from tests.api.guarded import ADMIN, TASKS, bearer, made_token, status_of


@pytest.fixture
def minute_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    """All requests happen at the same time, however long they take."""
    monkeypatch.setattr(guard, "Rates", partial(Rates, clock=lambda: 1_000.0))


@pytest.mark.usefixtures("minute_stands_still")
async def test_a_client_that_asks_too_often_is_told_when_to_retry(sqlite_database: str) -> None:
    async with collector(
        sqlite_database, work=False, admin_token=ADMIN, requests_per_minute=5
    ) as service:
        statuses = [await status_of(service) for _ in range(7)]
        assert statuses == [401] * 5 + [429] * 2
        async with service.session.get("/livez") as answer:
            assert (answer.status, (await answer.json())["code"]) == (429, "too_many_requests")
            assert 1 <= int(answer.headers["Retry-After"]) <= 60
        # A request with a token counts for the token.
        assert await status_of(service, headers=bearer(ADMIN)) == 200


@pytest.mark.usefixtures("minute_stands_still")
async def test_guessing_tokens_is_slowed_down_and_using_a_valid_token_is_not(
    sqlite_database: str,
) -> None:
    async with collector(sqlite_database, work=False, admin_token=ADMIN) as service:
        _, header = await made_token(service, Scope.READ)
        assert await status_of(service, headers=header) == 200
        statuses = [
            await status_of(service, "/readyz", headers=bearer(f"guess {number}"))
            for number in range(35)
        ]
        assert statuses == [401] * 30 + [429] * 5
        # The right guess must look like the wrong ones.
        assert await status_of(service, headers=bearer(ADMIN)) == 429
        assert await status_of(service, headers=header) == 200


@pytest.mark.usefixtures("minute_stands_still")
async def test_a_client_cannot_choose_whom_its_wrong_tokens_count_for(sqlite_database: str) -> None:
    async with collector(sqlite_database, work=False, admin_token=ADMIN) as service:
        statuses = [
            await status_of(
                service,
                headers=bearer(f"guess {number}") | {"X-Forwarded-For": f"203.0.113.{number}"},
            )
            for number in range(35)
        ]
        assert statuses == [401] * 30 + [429] * 5


@pytest.mark.usefixtures("minute_stands_still")
async def test_the_clients_of_a_trusted_proxy_count_separately(sqlite_database: str) -> None:
    async with collector(
        sqlite_database, work=False, admin_token=ADMIN, trusted_proxies="10.0.0.0/8, 127.0.0.1"
    ) as service:
        for number in range(35):
            await status_of(
                service, headers=bearer(f"guess {number}") | {"X-Forwarded-For": "203.0.113.7"}
            )
        for client, status in (("203.0.113.7", 429), ("203.0.113.8", 200)):
            headers = bearer(ADMIN) | {"X-Forwarded-For": client}
            assert await status_of(service, headers=headers) == status


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("::1", "::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("a socket", "a socket"),
    ],
)
def test_an_address_of_ipv6_counts_with_its_network(address: str, client: str) -> None:
    assert client_of(address) == client


def test_a_proxy_to_trust_is_an_address_or_a_network() -> None:
    with pytest.raises(InvalidInputError, match="trusted_proxies: write addresses or networks"):
        load_settings(trusted_proxies="*")


async def test_every_answer_tells_browsers_to_be_careful(sqlite_database: str) -> None:
    async with collector(sqlite_database, work=False) as service:
        for path, headers in (
            ("/livez", {}),
            ("/api/v1/nothing", {}),
            (TASKS, {}),
            (TASKS, {"Host": "evil.example"}),
            (TASKS, bearer("x")),
        ):
            async with service.session.get(path, headers=headers) as answer:
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
                assert answer.headers["X-Frame-Options"] == "DENY"
                assert answer.headers["Referrer-Policy"] == "no-referrer"
                assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
                assert not [
                    name for name in answer.headers if name.lower().startswith("access-control")
                ]
                assert answer.headers.get("Cache-Control") == (
                    None if path == "/livez" else "no-store"
                )
