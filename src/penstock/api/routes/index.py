"""Which modules of routes answer a path: a command in process loads only those that it needs."""

from __future__ import annotations

import importlib
from functools import cache
from typing import TYPE_CHECKING

from fastapi import APIRouter

from penstock.api.schemas.problem import documented

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_PACKAGE = "penstock.api.routes"
# By the beginning of their paths; a test compares them with the routes that the modules have.
MODULES: Mapping[str, Sequence[str]] = {
    "/livez": ("service",),
    "/readyz": ("service",),
    "/metrics": ("service",),
    "/api/v1/candles": ("market.candles",),
    "/api/v1/series": ("market.candles",),
    "/api/v1/coverage": ("market.coverage",),
    "/api/v1/gaps": ("market.coverage",),
    "/api/v1/restatements": ("market.restatements",),
    "/api/v1/backfill": ("market.backfill",),
    "/api/v1/verify": ("market.verify",),
    "/api/v1/symbols": ("market.symbols",),
    "/api/v1/schedules": ("schedules",),
    "/api/v1/pauses": ("pauses",),
    "/api/v1/data-collector": ("tasks", "market.candles"),
    "/api/v1/admin/data-collection": ("configs", "execution_logs", "reports", "alerts"),
    "/api/v1/admin/about": ("service",),
    "/api/v1/admin/alerts": ("alerts",),
    "/api/v1/admin/tokens": ("access.tokens",),
    "/api/v1/inventory/accounts": ("inventory.accounts", "inventory.syncs"),
    "/api/v1/inventory/syncs": ("inventory.syncs",),
    "/api/v1/inventory/products": ("inventory.products",),
    "/api/v1/inventory": ("inventory.catalogue",),
    "/api/v1/session": ("access.session",),
    "/api/v1/summary": ("summary",),
    "/api/v1/ws": ("websocket",),
}
EVERY = tuple(dict.fromkeys(module for modules in MODULES.values() for module in modules))


def modules_of(path: str) -> Sequence[str]:
    """The modules that may answer a path; none for a path that no route has."""
    return next((MODULES[begin] for begin in MODULES if path.startswith(begin)), ())


@cache
def router_of(*modules: str) -> APIRouter:
    """The routes of some modules, which are the same in every application of a process.

    FastAPI works each out once, and takes long for it.
    """
    router = APIRouter(
        # The guard refuses ahead of every route, and any route may fail unexpectedly.
        responses=documented(401, 403, 413, 429, 500),
        # The name of a route's function is its operation, so each has a name of its own.
        generate_unique_id_function=lambda route: route.name,
    )
    for module in modules:
        for value in vars(importlib.import_module(f"{_PACKAGE}.{module}")).values():
            if isinstance(value, APIRouter):
                router.include_router(value)
    return router
