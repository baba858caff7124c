"""What can be read of the inventory domain, by the API, the command line and the alerts.

Lists are pages: the rows after a cursor (the key of the last row seen), in the order of that key.
Times are ms, prices minor units.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from sqlalchemy import Row

# A row of one of the queries, with the columns that its docstring names.
Found: TypeAlias = "Row[Any]"
