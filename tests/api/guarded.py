"""Requests to a guarded service, with and without tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from penstock.access.scopes import Scope
    from tests.api.collector import Collector


ADMIN = "an-admin-token-of-a-deployment-4711"


TASKS = "/api/v1/data-collector/tasks"


REFRESH = "/api/v1/data-collector/refresh-symbols"


TOKENS = "/api/v1/admin/tokens"


WS = "/api/v1/ws"


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def made_token(service: Collector, scope: Scope, **more: Any) -> tuple[int, dict[str, str]]:
    """A token not created through this service's API: its id and its header."""
    token, secret = await service.app.tokens.create("test", scope, **{"expires_in_s": None} | more)
    return token.id, bearer(secret)


async def status_of(
    service: Collector,
    path: str = TASKS,
    method: str = "GET",
    headers: dict[str, str] | None = None,
) -> int:
    async with service.session.request(method, path, headers=headers) as answer:
        await answer.read()
        return answer.status
