"""What schemathesis does not send: heads of more than 24 KiB.

The HTTP server refuses them as invalid HTTP before the service sees them.
"""

from __future__ import annotations

from urllib.parse import quote

import schemathesis

_LONGEST = 22_000


@schemathesis.hook
def filter_query(_context: schemathesis.HookContext, query: object) -> bool:
    return _fits(query)


@schemathesis.hook
def filter_path_parameters(_context: schemathesis.HookContext, path_parameters: object) -> bool:
    return _fits(path_parameters)


def _fits(drawn: object) -> bool:
    return len(quote(str(drawn), errors="replace")) < _LONGEST
