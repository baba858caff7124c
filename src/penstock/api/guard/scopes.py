"""Which scope each route needs, in one place. A test walks the routes of the application."""

from __future__ import annotations

from http import HTTPMethod

from penstock.access.scopes import Scope

# Open to callers without a token, who learn only yes or no.
OPEN = frozenset({"/livez", "/readyz"})

# These paths and all below them. For other routes the method decides: reading needs `read`,
# everything else `operate`.
SCOPES = {
    "/api/v1/admin/tokens": Scope.ADMIN,
    "/api/v1/admin/alerts/targets": Scope.ADMIN,
}
# For changes right at or below these paths: an account's token decides what is synced.
CHANGES = {"/api/v1/inventory/accounts": Scope.ADMIN}
_LOOKS = frozenset({HTTPMethod.GET, HTTPMethod.HEAD})


def needed(method: str, path: str) -> Scope | None:
    """The scope that a request needs; None when it needs none."""
    if path in OPEN and method in _LOOKS:
        return None
    for prefix, scope in SCOPES.items():
        if path == prefix or path.startswith(prefix + "/"):
            return scope
    if method in _LOOKS:
        return Scope.READ
    return CHANGES.get(path, CHANGES.get(path.rpartition("/")[0], Scope.OPERATE))
