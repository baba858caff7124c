"""What a hostile client sends: requests of the OpenAPI document, with values it does not allow."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from hypothesis import strategies as st

from tests.budget.schemas import as_json, mostly, named, values

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.budget.calls import Answer, Door

_LONGEST_TARGET = 12_000
# The tokens of the test itself.
_KEPT = tuple(f"/api/v1/admin/tokens/{number}" for number in (1, 2, 3))
_JSON = {"Content-Type": "application/json"}
_RAW = st.sampled_from(
    [
        b"",
        b"null",
        b"[" * 50_000,
        b'{"a":' * 20_000,
        b'{"symbols":["' + b"x" * 900_000 + b'"]}',
        b"\xff\xfe",
        b'{"limit":' + b"9" * 5_000 + b"}",
        b"[0," * 200_000,
        b"{}" * 1_000,
    ]
)
_ODD_HEADERS = st.sampled_from(
    [
        {"X-Forwarded-For": "203.0.113.7"},
        {"Content-Type": "text/plain"},
        {"Accept-Encoding": "gzip, br", "Range": "bytes=0-1"},
        {"Host": "evil.example"},
        {"Origin": "http://127.0.0.1:1"},
        {"Expect": "100-continue"},
        {"Upgrade": "h2c", "Connection": "Upgrade"},
        {"Cookie": "a=" * 4_000},
        {f"X-{number}": "y" for number in range(500)},
    ]
)


@dataclass(frozen=True)
class Request:
    """A request; `scope` is that of its token, None without one."""

    method: str
    target: str
    scope: str | None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None

    def sent_to(self, door: Door) -> Answer:
        """The answer to it."""
        return door.call(
            self.method, self.target, scope=self.scope, headers=self.headers, body=self.body
        )

    def __str__(self) -> str:
        """In so many characters that a person reads them."""
        sent = {name: value[:80] for name, value in self.headers.items()}
        return f"{self.method} {self.target[:500]} {self.scope} {sent} {(self.body or b'')[:500]!r}"

    @property
    def bytes(self) -> int:
        """About how long it is."""
        return len(self.target) + len(self.body or b"") + len(repr(self.headers))


def requests(document: Mapping[str, Any]) -> st.SearchStrategy[Request]:
    """Requests of every operation, with tokens of every scope."""
    return st.one_of(
        [
            _of_operation(document, method.upper(), path, operation)
            for path, methods in document["paths"].items()
            for method, operation in methods.items()
        ]
    )


def _of_operation(
    document: Mapping[str, Any], method: str, path: str, operation: Mapping[str, Any]
) -> st.SearchStrategy[Request]:
    parameters = {
        where: {
            parameter["name"]: values(parameter["schema"], document)
            for parameter in (_resolved(document, each) for each in operation.get("parameters", ()))
            if parameter["in"] == where
        }
        for where in ("path", "query", "header")
    }
    content = operation.get("requestBody", {}).get("content", {})
    bodies: st.SearchStrategy[bytes | None] = st.none()
    if content:
        schema = content.get("application/json", {}).get("schema", {})
        shaped = values(schema, document).map(lambda value: as_json(value).encode())
        bodies = mostly(shaped, _RAW)
    return st.builds(
        _request,
        st.just(method),
        st.just(path),
        st.fixed_dictionaries(parameters["path"]),
        st.fixed_dictionaries({}, optional=parameters["query"]),
        st.fixed_dictionaries({}, optional=parameters["header"]),
        mostly(st.just({}), _ODD_HEADERS),
        bodies,
        st.sampled_from(["admin", "admin", "admin", "operate", "read", None]),
    ).filter(_can_be_sent)


def _can_be_sent(request: Request) -> bool:
    return len(request.target) < _LONGEST_TARGET and not request.target.startswith(_KEPT)


def _resolved(document: Mapping[str, Any], parameter: Mapping[str, Any]) -> Mapping[str, Any]:
    return named(document, parameter["$ref"]) if "$ref" in parameter else parameter


def _request(
    method: str,
    path: str,
    in_path: Mapping[str, Any],
    query: Mapping[str, Any],
    headers: Mapping[str, Any],
    odd: Mapping[str, str],
    body: bytes | None,
    scope: str | None,
) -> Request:
    for name, value in in_path.items():
        path = path.replace(f"{{{name}}}", _quoted(value))
    pairs = "&".join(f"{quote(name)}={_quoted(value)}" for name, value in query.items())
    given = {name: _quoted(value)[:500] for name, value in headers.items()}
    typed = _JSON if body is not None else {}
    return Request(
        method, f"{path}?{pairs}" if pairs else path, scope, {**typed, **given, **odd}, body
    )


def _quoted(value: object) -> str:
    return quote(value if isinstance(value, str) else as_json(value), safe="", errors="replace")
