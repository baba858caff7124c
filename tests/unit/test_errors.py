"""Errors restored from the API or from the record of a run equal the original ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from penstock.cli.client import failure_of
from penstock.errors import ConflictError, InvalidInputError, PenstockError, error_of

if TYPE_CHECKING:
    from collections.abc import Iterator


def _below(kind: type[PenstockError]) -> Iterator[type[PenstockError]]:
    for subclass in kind.__subclasses__():
        yield subclass
        yield from _below(subclass)


_NAMED = sorted(
    {kind for kind in _below(PenstockError) if "code" in vars(kind)}, key=lambda kind: kind.code
)


def test_no_two_errors_share_a_code() -> None:
    assert len({kind.code for kind in _NAMED}) == len(_NAMED)


@pytest.mark.parametrize("kind", _NAMED, ids=lambda kind: kind.code)
def test_a_code_names_its_error(kind: type[PenstockError]) -> None:
    error = error_of(kind.code, "why", field="symbols", task_id="7")
    assert (type(error), str(error)) == (kind, "why")
    if isinstance(error, InvalidInputError):
        assert error.field == "symbols"
    if isinstance(error, ConflictError):
        assert error.task_id == "7"


def test_an_unknown_code_is_an_unexpected_error() -> None:
    assert error_of("of a newer version", "why").exit_code == 1


@pytest.mark.parametrize(
    ("task", "exit_code", "message"),
    [
        ({"error": "away", "result": {"error_codes": {"run_unavailable": 1}}}, 4, "away"),
        ({"error": "no", "result": {"error_codes": {"run_failed": 1}}}, 3, "no"),
        ({"error": "its worker died", "result": None}, 3, "its worker died"),
        ({"error": None, "result": None}, 3, "task 7 was cancelled"),
    ],
)
def test_an_uncompleted_task_raises_the_error_of_its_run(
    task: dict[str, object], exit_code: int, message: str
) -> None:
    error = failure_of({"task_id": "7", "status": "cancelled"} | task)
    assert (error.exit_code, str(error)) == (exit_code, message)
