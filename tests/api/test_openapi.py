"""The OpenAPI document is correct, and no query string makes the service fail."""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_from_bytes, urlsplit

import pytest
from fastapi import FastAPI
from hypothesis import example, given, seed, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from penstock.api.document import DESCRIPTION, TAGS, examples
from penstock.api.routes.index import EVERY, modules_of, router_of
from penstock.api.schemas.shape import Shape

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Say
    from tests.trials import Trials

_COLLECTOR = "/api/v1/data-collector"
_TOKENS = "/api/v1/admin/tokens"
_ONE_TOKEN = f"{_TOKENS}/{{token_id}}"
_ADMIN = "/api/v1/admin/data-collection"
_ALERTS = "/api/v1/admin/alerts"
_TARGET = f"{_ALERTS}/targets/{{target_id}}"
_ALERT_READS = (_ALERTS, f"{_ALERTS}/targets", "/api/v1/admin/data-collection/health")
_ALERT_CHANGES = {
    (f"{_ALERTS}/targets", "post"),
    (_TARGET, "put"),
    (_TARGET, "delete"),
    (f"{_TARGET}/test", "post"),
}
_INVENTORY = "/api/v1/inventory"
_ACCOUNT = f"{_INVENTORY}/accounts/{{account_id}}"
_SYNC = f"{_INVENTORY}/syncs/{{task_id}}"
_INVENTORY_READS = tuple(
    f"{_INVENTORY}/{name}"
    for name in ("accounts", "products", "games", "expansions", "blueprints", "unmapped", "values")
)
_INVENTORY_ON_ONE = {
    (_ACCOUNT, "get"),
    (f"{_ACCOUNT}/sync", "get"),
    (_SYNC, "get"),
    (f"{_SYNC}/diff", "get"),
    (f"{_SYNC}/changes", "get"),
}
_INVENTORY_ON_ONE |= {(f"{_INVENTORY}/products/{{product_id}}/history", "get")}
_FOR_ADMINS = {(f"{_INVENTORY}/accounts", "post"), (_ACCOUNT, "put"), (_ACCOUNT, "delete")}
_INVENTORY_CHANGES = {(f"{_INVENTORY}/catalog", "post"), *_FOR_ADMINS}
_DATABASE_FREE = {"/livez", "/metrics"}
_SESSION = "/api/v1/session"
_PATHS = (
    "/livez",
    "/readyz",
    "/metrics",
    "/api/v1/candles",
    "/api/v1/series",
    "/api/v1/series/recent",
    "/api/v1/restatements",
    "/api/v1/coverage",
    "/api/v1/coverage/map",
    "/api/v1/gaps",
    "/api/v1/symbols",
    "/api/v1/schedules",
    "/api/v1/pauses",
    "/api/v1/summary",
    "/api/v1/admin/about",
    "/api/v1/admin/about/tables",
    _SESSION,
    f"{_COLLECTOR}/latest-prices",
    f"{_COLLECTOR}/status",
    f"{_COLLECTOR}/tasks",
    f"{_COLLECTOR}/tasks/active",
    f"{_COLLECTOR}/tasks/stats",
    f"{_ADMIN}/configs",
    f"{_ADMIN}/execution-logs",
    f"{_ADMIN}/stats",
    f"{_ADMIN}/status",
    f"{_ADMIN}/reports/top-symbols",
    f"{_ADMIN}/reports/by-exchange",
    f"{_ADMIN}/reports/recent-failures",
    f"{_ADMIN}/reports/records-per-day",
    f"{_ADMIN}/reports/beats",
    f"{_ADMIN}/reports/timeline",
    _TOKENS,
    *_ALERT_READS,
    *_INVENTORY_READS,
)
_ONE_TASK = f"{_COLLECTOR}/task/{{task_id}}"
_ACTIONS = {
    f"{_COLLECTOR}/start": "202",
    f"{_COLLECTOR}/refresh-symbols": "202",
    "/api/v1/backfill": "202",
    f"{_ONE_TASK}/cancel": "200",
    f"{_ONE_TASK}/rerun": "202",
}
_ACTIONS |= {"/api/v1/verify": "202"}
_ACTIONS |= {f"{_ACCOUNT}/sync": "202", f"{_SYNC}/approve": "200", f"{_SYNC}/reject": "200"}
_CONFIG = f"{_ADMIN}/configs/{{config}}"
# Routes that act on a config, a token or a body; their own tests call them.
_ON_ONE = {(_CONFIG, method) for method in ("get", "put", "delete")} | {
    (f"{_CONFIG}/preview", "get"),
    (f"{_ADMIN}/execution-logs/{{log_id}}", "get"),
}
_ON_ONE |= {(f"{_CONFIG}/{action}", "post") for action in ("enable", "disable", "trigger")}
_ON_ONE |= {(f"{_ADMIN}{path}", "post") for path in ("/configs", "/preview", "/apply")}
_ON_ONE |= {(_TOKENS, "post"), (_ONE_TOKEN, "delete"), ("/api/v1/pauses/lift", "post")}
_ON_ONE |= {(_SESSION, "post"), (_SESSION, "delete")}
_GUARD = {"401", "403", "413", "429"}
_PROBLEM = {"type", "title", "status", "code", "detail"}


@pytest.fixture(scope="module")
def connection(service: str) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection(urlsplit(service).netloc, timeout=60)
    yield connection
    connection.close()


@pytest.fixture(scope="module")
def document(connection: http.client.HTTPConnection) -> dict[str, Any]:
    status, body = _get(connection, "/openapi.json")
    assert status == 200
    found: dict[str, Any] = json.loads(body)
    return found


def _get(connection: http.client.HTTPConnection, target: str) -> tuple[int, bytes]:
    # A server closes idle connections after seconds, which pass between examples on a slow machine.
    connection.close()
    connection.request("GET", target)
    answer = connection.getresponse()
    return answer.status, answer.read()


def _named(document: dict[str, Any], ref: str) -> dict[str, Any]:
    """The component that a reference names."""
    found: dict[str, Any] = document
    for part in ref.removeprefix("#/").split("/"):
        found = found[part]
    return found


def _operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [route for methods in document["paths"].values() for route in methods.values()]


def test_the_document_describes_the_service(document: dict[str, Any]) -> None:
    assert document["info"]["description"] == DESCRIPTION
    assert document["servers"] == [{"url": "/", "description": "this service"}]
    used = {tag for route in _operations(document) for tag in route["tags"]}
    assert {tag["name"] for tag in document["tags"]} == used == set(TAGS)


@pytest.mark.parametrize("field", ["operationId", "summary"])
def test_every_operation_has_a_unique_name(document: dict[str, Any], field: str) -> None:
    names = [route[field] for route in _operations(document)]
    assert len(set(names)) == len(names)


def test_the_document_is_no_longer_than_its_routes_need(document: dict[str, Any]) -> None:
    """With every error inlined in every route it had 398 kB."""
    assert len(json.dumps(document)) < 2_700 * len([*_operations(document)])


def test_every_schema_has_an_example(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    objects = {name for name, schema in schemas.items() if schema["type"] == "object"}
    pages = {name for name in objects if name.endswith("Page")}
    assert objects - pages == examples().keys()
    assert all(schemas[name]["examples"] == [shown] for name, shown in examples().items())


@pytest.mark.parametrize("name", examples())
def test_each_example_is_valid_for_its_model(name: str) -> None:
    router_of(*EVERY)
    [model] = [found for found in _models(BaseModel) if found.__name__ == name]
    shown = examples()[name]
    read = model.model_validate(shown, extra="forbid")
    assert read.model_dump(mode="json", by_alias=True, exclude_unset=True) == shown
    if issubclass(model, Shape):
        assert shown.keys() == model.model_fields.keys() - {"from_"} | shown.keys() & {"from"}


def _models(base: type[BaseModel]) -> set[type[BaseModel]]:
    ours = {found for found in base.__subclasses__() if found.__module__.startswith("penstock.")}
    return ours.union(*(_models(found) for found in base.__subclasses__()))


def test_the_document_lists_the_routes_that_are_tested(document: dict[str, Any]) -> None:
    routes = {(path, method) for path, methods in document["paths"].items() for method in methods}
    on_one = _ON_ONE | _ALERT_CHANGES | _INVENTORY_ON_ONE | _INVENTORY_CHANGES
    assert (
        routes
        == {(path, "get") for path in (*_PATHS, _ONE_TASK)}
        | {(path, "post") for path in _ACTIONS}
        | on_one
    )


def test_the_modules_of_a_path_have_its_route(document: dict[str, Any]) -> None:
    for path in document["paths"]:
        api = FastAPI(routes=router_of(*modules_of(path)).routes)
        assert path in api.openapi()["paths"], path


def test_every_route_documents_the_scope_and_the_answers_of_the_guard(
    document: dict[str, Any],
) -> None:
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    for path, methods in document["paths"].items():
        for method, route in methods.items():
            assert set(route["responses"]) >= {*_GUARD, "500"}
            is_open = path in {"/livez", "/readyz"} or (path, method) == (_SESSION, "get")
            assert route["security"] == ([{"bearer": []}, {}] if is_open else [{"bearer": []}])
            for_admins = (
                path.startswith((_TOKENS, f"{_ALERTS}/targets")) or (path, method) in _FOR_ADMINS
            )
            assert route.get("x-scope") == (
                None
                if is_open
                else "admin"
                if for_admins
                else "read"
                if method == "get" or path == _SESSION
                else "operate"
            )


@pytest.mark.parametrize("path", _PATHS)
def test_a_route_documents_its_answers_and_errors(document: dict[str, Any], path: str) -> None:
    route = document["paths"][path]["get"]
    answers = route["responses"]
    expected = (
        {"200", *_GUARD, "500"}
        | ({"422"} if route.get("parameters") else set())
        | (set() if path in _DATABASE_FREE else {"503"})
    )
    assert set(answers) - {"404"} == expected
    assert ("404" in answers) == (path == "/api/v1/candles")
    assert route["description"]
    for status, answer in answers.items():
        if status == "200":
            assert answer["content"]["text/plain" if path == "/metrics" else "application/json"]
        else:
            shared = _named(document, answer["$ref"])
            assert set(shared["content"]) == {"application/problem+json"}
            schema = shared["content"]["application/problem+json"]["schema"]
            assert set(_named(document, schema["$ref"])["required"]) == _PROBLEM


@pytest.mark.parametrize(("path", "status"), _ACTIONS.items())
def test_an_action_documents_its_answers_and_errors(
    document: dict[str, Any], path: str, status: str
) -> None:
    route = document["paths"][path]["post"]
    assert route["description"]
    assert set(route["responses"]) >= {status, "403", "409", "422", "500", "503"}
    assert route["responses"][status]["content"]["application/json"]["schema"]
    assert "Idempotency-Key" in {
        parameter["name"] for parameter in route["parameters"]
    } or path.endswith(("/cancel", "/approve", "/reject"))


_NAMES = (
    "symbol",
    "timeframe",
    "reason",
    "exchange",
    "start",
    "end",
    "limit",
    "cursor",
    "format",
    "fill",
    "task_type",
    "skip",
    "status",
    "hours",
    "days",
    "start_date",
    "account",
    "q",
    "game",
    "expansion",
    "gone",
    "mapped",
    "sort",
)
_VALUES = st.one_of(
    st.sampled_from(
        [
            "BTC/USDT",
            "ETHUSDT",
            "btcusdt",
            "1m",
            "1h",
            "1M",
            "binance",
            "csv",
            "json",
            "0",
            "-0",
            "nan",
            "inf",
            "1e308",
            "true",
            "[]",
            "{}",
            "'",
        ]
    ),
    st.integers(-(2**70), 2**70).map(str),
    st.datetimes().map(lambda at: at.isoformat()),
    st.datetimes(timezones=st.timezones()).map(lambda at: at.isoformat()),
    st.builds("{}:{}".format, st.sampled_from(["after", "before", ""]), st.integers(-5, 10**15)),
    st.floats().map(str),
    st.text(max_size=60),
)
_ENCODED = st.one_of(
    _VALUES.map(lambda text: text.encode("utf-8", "surrogatepass")), st.binary(max_size=20)
)
_PAIRS = st.lists(
    st.tuples(st.one_of(st.sampled_from(_NAMES), st.text(max_size=5)), _ENCODED), max_size=6
)


def _bytes_of(name: str) -> bytes:
    return name.encode("utf-8", "surrogatepass")


def _query(pairs: list[tuple[str, bytes]]) -> str:
    return "&".join(
        "=".join(quote_from_bytes(part, safe="") for part in (_bytes_of(name), value))
        for name, value in pairs
    )


_GOOD = [("symbol", b"BTC/USDT"), ("timeframe", b"1m")]


def test_no_query_string_leads_to_an_undocumented_answer(
    connection: http.client.HTTPConnection, document: dict[str, Any], trials: Trials, say: Say
) -> None:
    count = trials.of(75, 1_000)

    @seed(trials.seed)
    @settings(max_examples=count)
    @given(path=st.sampled_from(_PATHS), pairs=_PAIRS, good=st.booleans())
    @example(path="/api/v1/candles", pairs=[("end", b"9999-12-31T23:59:59-23:59")], good=True)
    @example(path="/api/v1/candles", pairs=[("start", b"0001-01-01T00:00:00+23:59")], good=True)
    @example(path="/api/v1/candles", pairs=[("cursor", b"after:99999999999999")], good=True)
    @example(
        path="/api/v1/candles",
        pairs=[("start", b"9999-12-30T23:59:59"), ("limit", b"1")],
        good=True,
    )
    @example(path="/api/v1/series", pairs=[("exchange", b"\0")], good=False)
    def ask(path: str, pairs: list[tuple[str, bytes]], good: bool) -> None:
        status, body = _get(connection, f"{path}?{_query(_GOOD + pairs if good else pairs)}")
        assert status < 500, body
        assert str(status) in document["paths"][path]["get"]["responses"]
        if status >= 400:
            assert json.loads(body).keys() >= _PROBLEM

    ask()
    say(f"{count} query strings, seed {trials.seed}")
