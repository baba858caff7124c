"""The exit codes and what they mean, as `penstock --help` ends with them."""

from __future__ import annotations

SOME_FAILED = 6
HELD = 8
NOT_WHOLE = 9

EXIT_CODES = {
    0: "done",
    1: "unexpected error, or a failed check of `doctor`",
    2: "bad input; nothing changed",
    3: "the provider refused, or every series failed",
    4: "the provider or the database is unavailable; try again later",
    5: "another process, another run or a newer Penstock has what this needs",
    SOME_FAILED: "partly done: some series failed, the others are stored",
    7: "the service needs a token (PENSTOCK_TOKEN) or a different one",
    HELD: "a sync is held for a decision: see `penstock diff`",
    NOT_WHOLE: "the stored data is incomplete or wrong: see the report of `verify`",
    130: "interrupted by Ctrl-C",
    143: "ended by SIGTERM",
}
