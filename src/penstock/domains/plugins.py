"""The entry points of installed packages. One sentence refuses a malformed one."""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from penstock.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Mapping

# The groups of the entry points of exchanges and of marketplaces.
SOURCES = "penstock.sources"
MARKETPLACES = "penstock.inventory_sources"


@cache
def provided(group: str) -> Mapping[str, EntryPoint]:
    """The entry points of a group by name; InvalidInputError when two share a name.

    Cached, because the search reads the metadata of all packages.
    """
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=group):
        if point.name in found and point.value != found[point.name].value:
            packages = f"{_package(found[point.name])} and {_package(point)}"
            raise InvalidInputError(
                f"{group}: {packages} both provide {point.name!r}; remove one of them", field=group
            )
        found[point.name] = point
    return found


def loaded(group: str, name: str) -> Any:  # noqa: ANN401 - any object of any package
    """The object of an entry point; InvalidInputError when it cannot be imported."""
    point = provided(group)[name]
    try:
        return point.load()
    except Exception as error:
        raise malformed(group, name, f"{point.value} cannot be imported: {error}") from error


def malformed(group: str, name: str, why: str) -> InvalidInputError:
    """The error that names the package and says what is wrong with it."""
    package = _package(provided(group)[name])
    message = f"{group}: {name!r} of the package {package} cannot be used: {why}"
    return InvalidInputError(message, field=group)


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist else point.value.partition(":")[0]
