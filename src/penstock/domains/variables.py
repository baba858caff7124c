"""Variables of the environment that look like settings and are none."""

from __future__ import annotations

import difflib
from itertools import product
from typing import TYPE_CHECKING

from penstock.domains.plugins import MARKETPLACES, SOURCES, provided
from penstock.settings import PREFIX, ProviderSettings, Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_ALIKE = 0.8
# A domain of another package may have a provider that no entry point names.
_OF_PROVIDERS = tuple(f"_{field.upper()}" for field in ProviderSettings.model_fields)


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
        if near := _nearest(name, known):
            yield f"{given[name][:100]} is not a setting; did you mean {near}?"
        elif not name.endswith(_OF_PROVIDERS):
            yield f"{given[name][:100]} is not a setting of Penstock"


def _nearest(name: str, known: Iterable[str]) -> str | None:
    """Compared without the parts that make names alike: the prefix, and the end of a provider's."""
    end = next((end for end in _OF_PROVIDERS if name.endswith(end)), "")
    words = {_core(one, end): one for one in known if one.endswith(end)}
    near = difflib.get_close_matches(_core(name, end)[:100], words, n=1, cutoff=_ALIKE)
    return words[near[0]] if near else None


def _core(name: str, end: str) -> str:
    return name.removeprefix(PREFIX).removesuffix(end)


def _names(fields: Iterable[str]) -> set[str]:
    return {f"{PREFIX}{field.upper()}" for field in fields}
