"""The OpenAPI document: FastAPI's, and what holds for all routes."""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from importlib import resources
from typing import TYPE_CHECKING, Any

from fastapi.responses import JSONResponse, Response

from penstock.api.guard.scopes import needed
from penstock.api.schemas.problem import MEDIA_TYPE, Problem

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from fastapi import FastAPI, Request

DESCRIPTION = """\
Penstock keeps a SQL database in step with remote APIs: candles of crypto exchanges, and the
inventory of a CardTrader seller.

- **Tasks**: what takes longer is answered with 202 and a `task_id`; `GET
  /api/v1/data-collector/task/{task_id}` tells how far it is. The WebSocket `/api/v1/ws` sends each
  step of tasks and syncs, stored candles, and alerts.
- **Access**: `Authorization: Bearer …` with a token of the scope `read`, `operate` or `admin`,
  where each one includes those before it. `x-scope` is the scope that a route needs.
- **Errors** are `application/problem+json` (RFC 9457) with a stable `code`; the `detail` names the
  field and the fix. 429 and 503 come with `Retry-After`.
- **Lists** are pages: send `next_cursor` as `cursor` to get the next one, until it is null.
- **Times** are ISO 8601 in UTC. Prices and volumes of candles are strings with the digits of the
  exchange; prices of products are whole minor units.
- **Repeating a request**: the same `Idempotency-Key` with the same body gives the same task.
"""
TAGS = {
    "service": "Health and metrics.",
    "data collector": "Collect now, follow and cancel tasks, see what runs automatically.",
    "collection admin": "What is collected automatically, the execution log, and reports on it.",
    "market data": "Candles, series, symbols, prices, and what is known to be missing.",
    "inventory": "A seller's accounts, syncs, products and catalogues.",
    "alerts": "Alerts, and where they are sent.",
    "access": "Access tokens.",
}
_HOW_TO_ENTER = (
    "`penstock token create` makes one; while there is none, requests from the service's own "
    "machine need none."
)
_BEARER: dict[str, list[str]] = {"bearer": []}


def described(api: FastAPI) -> Callable[[], dict[str, Any]]:
    """What makes the document: routes with their scope, shared errors, and examples."""
    make = api.openapi

    def openapi() -> dict[str, Any]:
        if api.openapi_schema is None:
            document = make()
            document["servers"] = [{"url": "/", "description": "this service"}]
            document["tags"] = [{"name": name, "description": TAGS[name]} for name in TAGS]
            schemas = document["components"]["schemas"]
            schemas["Problem"] = Problem.model_json_schema()
            for name, example in examples().items():
                schemas[name]["examples"] = [example]
            used = set[str]()
            for path, operations in document["paths"].items():
                for method, operation in operations.items():
                    _finish(operation, method, path)
                    used |= _share_errors(operation["responses"])
            document["components"] |= _shared(used)
        return make()

    return openapi


def document_of(api: FastAPI) -> Callable[[Request], Awaitable[Response]]:
    """What answers with the document, which a thread makes once in a third of a second."""
    making: asyncio.Future[bytes] | None = None

    async def answer(_request: Request) -> Response:
        nonlocal making
        if making is None:
            made = asyncio.to_thread(lambda: bytes(JSONResponse(api.openapi()).body))
            making = asyncio.ensure_future(made)
        return Response(await asyncio.shield(making), media_type=JSONResponse.media_type)

    return answer


def examples() -> dict[str, Any]:
    """An example of each schema, by its name."""
    text = resources.files(__name__).joinpath("examples.json").read_text("utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def _finish(operation: dict[str, Any], method: str, path: str) -> None:
    operation["summary"] = operation["operationId"].replace("_", " ").capitalize()
    scope = needed(method.upper(), path)
    operation["security"] = [_BEARER] if scope else [_BEARER, {}]
    if scope:
        operation["x-scope"] = scope.value


def _share_errors(responses: dict[str, Any]) -> set[str]:
    errors = {status for status in responses if int(status) >= HTTPStatus.BAD_REQUEST}
    for status in errors:
        responses[status] = {"$ref": f"#/components/responses/{_name(status)}"}
    return errors


def _shared(errors: set[str]) -> dict[str, Any]:
    problem = {"$ref": "#/components/schemas/Problem"}
    responses = {
        _name(status): {
            "description": HTTPStatus(int(status)).phrase,
            "content": {MEDIA_TYPE: {"schema": problem}},
        }
        for status in sorted(errors)
    }
    bearer = {"type": "http", "scheme": "bearer", "description": _HOW_TO_ENTER}
    return {"responses": responses, "securitySchemes": {"bearer": bearer}}


def _name(status: str) -> str:
    """The component of an error, such as NotFound."""
    return HTTPStatus(int(status)).phrase.replace(" ", "").replace("-", "")
