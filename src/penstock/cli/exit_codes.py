"""The exit codes and what they mean, as `penstock --help` ends with them."""

from __future__ import annotations

SOME_FAILED = 6
HELD = 8
NOT_WHOLE = 9

EXIT_CODES = {
    0: "done",
    1: "an error that nobody expected, or a failed check of `doctor`",
    2: "bad input; nothing was changed",
    3: "the provider refused, or every series failed for good",
    4: "the provider or the database is not available now; try again later",
    5: "another process, another run or a newer Penstock has what this needs",
    SOME_FAILED: "done in part: some series failed, the others are stored",
    7: "the service needs a token (PENSTOCK_TOKEN), or another one",
    HELD: "a sync is held for a decision: see `penstock diff`",
    NOT_WHOLE: "what is stored is not whole: the report of `verify` says where",
    130: "interrupted by Ctrl-C",
    143: "ended by SIGTERM",
}
