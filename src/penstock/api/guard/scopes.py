"""Which scope each route needs, in one place. A test walks the routes of the application."""

from __future__ import annotations

from http import HTTPMethod

from penstock.access.scopes import Scope

# Open to callers without a token, who learn only yes or no, and what they may do.
OPEN = frozenset({"/livez", "/readyz", "/api/v1/session"})
# The pages of the dashboard, by the first part of their path; the others follow the overview.
PAGES = ("", "market", "coverage", "collections", "runs", "inventory", "settings")
ASSETS = "assets"
DOCS = "docs"
LICENCES = "licences.txt"
# They and their files hold nothing of the database.
FILES = frozenset({*PAGES, ASSETS, DOCS, LICENCES})

# These paths and all below them. For other routes the method decides: reading needs `read`,
# everything else `operate`.
SCOPES = {
    "/api/v1/admin/tokens": Scope.ADMIN,
    "/api/v1/admin/alerts/targets": Scope.ADMIN,
}
# For changes right at or below these paths: an account's token decides what is synced, and a
# session has the scope of its token.
CHANGES = {"/api/v1/inventory/accounts": Scope.ADMIN, "/api/v1/session": Scope.READ}
LOOKS = frozenset({HTTPMethod.GET, HTTPMethod.HEAD})


def needed(method: str, path: str) -> Scope | None:
    """The scope that a request needs; None when it needs none."""
    if method in LOOKS and (path in OPEN or path.removeprefix("/").partition("/")[0] in FILES):
        return None
    for prefix, scope in SCOPES.items():
        if path == prefix or path.startswith(prefix + "/"):
            return scope
    if method in LOOKS:
        return Scope.READ
    return CHANGES.get(path, CHANGES.get(path.rpartition("/")[0], Scope.OPERATE))
