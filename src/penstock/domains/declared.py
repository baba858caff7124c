"""The domains that installed packages declare."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.collection.domain import Domain, Domains
from penstock.domains.plugins import loaded, malformed, provided
from penstock.errors import PenstockError

if TYPE_CHECKING:
    from penstock.domains.parts import Parts

_GROUP = "penstock.domains"


def declared_domains(parts: Parts) -> Domains:
    """Every domain, made of the parts of this process; InvalidInputError for a broken one."""
    return Domains([_declared(name, parts) for name in sorted(provided(_GROUP))])


def _declared(name: str, parts: Parts) -> Domain:
    declare = loaded(_GROUP, name)
    try:
        domain = declare(parts)
    except PenstockError:
        raise
    except Exception as error:
        raise malformed(_GROUP, name, f"{type(error).__name__}: {error}") from error
    if not isinstance(domain, Domain):
        raise malformed(
            _GROUP,
            name,
            f"it returned {type(domain).__name__}, not penstock.collection.domain.Domain",
        )
    return domain
