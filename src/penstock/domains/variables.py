"""Variables of the environment that look like settings and are none."""

from __future__ import annotations

import difflib
from itertools import product
from typing import TYPE_CHECKING

from penstock.domains.plugins import MARKETPLACES, SOURCES, provided
from penstock.settings import PREFIX, ProviderSettings, Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_ALIKE = 0.85


def strange_variables(names: Iterable[str]) -> Iterator[str]:
    """A sentence for each of the names that begins like a setting and is none."""
    given = {name.upper(): name for name in names if name.upper().startswith(PREFIX)}
    unknown = given.keys() - _names(Settings.model_fields)
    if not unknown:
        return
    # Reading the metadata of all packages takes a while.
    providers = [*provided(SOURCES), *provided(MARKETPLACES)]
    of_providers = _names(
        "_".join(pair) for pair in product(providers, ProviderSettings.model_fields)
    )
    known = _names(Settings.model_fields) | of_providers
    for name in sorted(unknown - of_providers):
        near = difflib.get_close_matches(name, known, n=1, cutoff=_ALIKE)
        hint = f"; did you mean {near[0]}?" if near else " of Penstock"
        yield f"{given[name][:100]} is not a setting{hint}"


def _names(fields: Iterable[str]) -> set[str]:
    return {f"{PREFIX}{field.upper()}" for field in fields}
