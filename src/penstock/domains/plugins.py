"""What installed packages bring by entry points. A malformed one is refused in one sentence."""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from penstock.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Mapping


@cache
def brought(group: str) -> Mapping[str, EntryPoint]:
    """The entry points of a group by name; looking for them reads the files of all packages. InvalidInputError when two have one name."""
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=group):
        if point.name in found and point.value != found[point.name].value:
            message = f"{group}: {point.name!r} is brought by {_package(found[point.name])} and by {_package(point)}; remove one of them"
            raise InvalidInputError(message, field=group)
        found[point.name] = point
    return found


def loaded(group: str, name: str) -> Any:  # noqa: ANN401 - whatever the package brings
    """What an entry point names; InvalidInputError when it cannot be imported."""
    point = brought(group)[name]
    try:
        return point.load()
    except Exception as error:
        raise malformed(group, name, f"{point.value} cannot be imported: {error}") from error


def malformed(group: str, name: str, why: str) -> InvalidInputError:
    """The error that says what is wrong with what a package brings, and which package that is."""
    message = (
        f"{group}: {name!r} of the package {_package(brought(group)[name])} cannot be used: {why}"
    )
    return InvalidInputError(message, field=group)


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist else point.value.partition(":")[0]
