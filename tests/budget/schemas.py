"""Values for a JSON schema: most of them valid, the others what a hostile client would send."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Mapping

Values = st.SearchStrategy[Any]

_NAMES = [
    "BTC/USDT",
    "ETHUSDT",
    "binance",
    "1m",
    "1d",
    "shop",
    "2024-01-01",
    "2024-01-01T00:00:00Z",
]
_TEXTS = st.one_of(
    st.sampled_from([*_NAMES, "", " ", "\0", "%00", "..", "'", "\u202e", "é" * 30, "🂡" * 50]),
    st.text(max_size=40),
    st.integers(1, 30_000).map(lambda length: "x" * length),
)
_NUMBERS = st.one_of(
    st.sampled_from([0, -1, 1, 2**31, 2**63, 2**64, -(2**63), 10**30, 10**400, 0.5, -0.0, 1e308]),
    st.sampled_from([float("nan"), float("inf"), 1_795_878_660_000, 1_795_878_660_000_000]),
    st.integers(),
    st.floats(),
)
_LEAVES = st.one_of(st.none(), st.booleans(), _NUMBERS, _TEXTS)
HOSTILE: Values = st.one_of(
    _LEAVES,
    st.recursive(
        _LEAVES,
        lambda inner: st.one_of(st.lists(inner, max_size=5), st.dictionaries(_TEXTS, inner)),
        max_leaves=20,
    ),
    st.builds(lambda leaf, count: [leaf] * count, _LEAVES, st.integers(0, 3_000)),
    st.integers(0, 3_000).map(lambda count: {f"k{number}": number for number in range(count)}),
)
_MOST_ITEMS = 500
# Twice what the service takes.
_MOST_BYTES = 2_000_000


def values(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Values:
    """Values for the schema of a document; one in ten is a hostile one."""
    return mostly(_valid(schema, document), HOSTILE)


def as_json(value: object) -> str:
    """The JSON of a value, cut off at 2 MB.

    Lists of the same lists are small here and have gigabytes of JSON.
    """
    pieces, size = [], 0
    for piece in json.JSONEncoder().iterencode(value):
        pieces.append(piece)
        size += len(piece)
        if size > _MOST_BYTES:
            break
    return "".join(pieces)[:_MOST_BYTES]


def mostly(usual: Values, other: Values) -> Values:
    """Nine usual values for one of the others."""
    return st.integers(0, 9).flatmap(lambda dice: usual if dice else other)


def _valid(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Values:
    if "$ref" in schema:
        return _valid(named(document, schema["$ref"]), document)
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return st.one_of([_valid(each, document) for each in schema[several]])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "const" in schema:
        return st.just(schema["const"])
    return _of_type(schema, document)


def _of_type(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Values:
    match schema.get("type"):
        case "object":
            return _objects(schema, document)
        case "array":
            return _arrays(schema, document)
        case "integer":
            return st.integers(schema.get("minimum", -5), schema.get("maximum", 2**31))
        case "string":
            return _strings(schema)
    return {"number": _NUMBERS, "boolean": st.booleans()}.get(schema.get("type", ""), HOSTILE)


def _arrays(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Values:
    most = min(schema.get("maxItems", _MOST_ITEMS), _MOST_ITEMS)
    item = values(schema.get("items", {}), document)
    # The same value many times: what is drawn costs more than what is sent.
    many = st.builds(lambda one, count: [one] * count, item, st.integers(0, most))
    return st.one_of(st.lists(item, max_size=min(most, 4)), many)


def _strings(schema: Mapping[str, Any]) -> Values:
    match schema.get("format"):
        case "uuid":
            return st.uuids().map(str)
        case "date-time":
            return st.datetimes().map(lambda at: at.isoformat() + "Z")
    if "pattern" in schema:
        return st.from_regex(schema["pattern"], fullmatch=True)
    texts = _TEXTS.map(lambda text: text[: schema.get("maxLength")])
    return mostly(st.sampled_from(_NAMES), texts)


def _objects(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Values:
    fields = {name: values(inner, document) for name, inner in schema.get("properties", {}).items()}
    required = set(schema.get("required", ()))
    return st.fixed_dictionaries(
        {name: field for name, field in fields.items() if name in required},
        optional={name: field for name, field in fields.items() if name not in required},
    )


def named(document: Mapping[str, Any], ref: str) -> Mapping[str, Any]:
    """The part of a document that a reference names."""
    found = document
    for part in ref.removeprefix("#/").split("/"):
        found = found[part]
    return found
