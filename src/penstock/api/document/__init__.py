"""The OpenAPI document: FastAPI's, and what the guard does ahead of all routes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.api.guard.scopes import needed

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import FastAPI

_BEARER: dict[str, list[str]] = {"bearer": []}


def described(api: FastAPI) -> Callable[[], dict[str, Any]]:
    """What makes the document: each route says that it wants a token, and with which scope."""
    make = api.openapi

    def openapi() -> dict[str, Any]:
        document = make()
        description = "`penstock token create` makes one; without any token yet, requests of the service's own machine need none"
        document["components"]["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer", "description": description}
        }
        for path, methods in document["paths"].items():
            for method, route in methods.items():
                scope = needed(method.upper(), path)
                route["security"] = [_BEARER] if scope else [_BEARER, {}]
                if scope:
                    route["x-scope"] = scope.value
        return document

    return openapi
