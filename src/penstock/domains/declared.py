"""All domains that installed packages declare."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.collection.domain import Domain, Domains
from penstock.domains.plugins import brought, loaded, malformed
from penstock.errors import PenstockError

if TYPE_CHECKING:
    from penstock.domains.parts import Parts

_GROUP = "penstock.domains"


def declared_domains(parts: Parts) -> Domains:
    """Every domain, made of the parts of this process; InvalidInputError when one of them cannot be used, with the reason."""
    return Domains([_declared(name, parts) for name in sorted(brought(_GROUP))])


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
            f"it gave {type(domain).__name__} and not a penstock.collection.domain.Domain",
        )
    return domain
