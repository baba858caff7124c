"""Errors as `application/problem+json` (RFC 9457), with a stable `code` and no stack trace."""

from __future__ import annotations

import math
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from penstock.errors import InvalidInputError, PenstockError, RetryableError

if TYPE_CHECKING:
    from fastapi import FastAPI, Request

MEDIA_TYPE = "application/problem+json"
_RETRY_AFTER_S = 5
_UNREADABLE = InvalidInputError("body: it cannot be read as JSON in UTF-8", field="body")
_TOO_MANY_DIGITS = InvalidInputError("body: a number in it has too many digits", field="body")
_UNEXPECTED = PenstockError("an unexpected error; the log of the service has it")


class Problem(BaseModel):
    """An error."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    field: str | None = None
    task_id: str | None = Field(
        None, description="of a conflict: the task that holds what was asked for"
    )


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The error answers of a route, by status; the OpenAPI document describes each once."""
    return {status: {"description": HTTPStatus(status).phrase} for status in statuses}


def install(api: FastAPI) -> None:
    """Answer every error in this form."""
    for kind in (PenstockError, RequestValidationError, HTTPException, Exception):
        api.add_exception_handler(kind, _answer)


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    headers: dict[str, str] | None = None,
    **more: str | None,
) -> JSONResponse:
    """One error answer; `more` are the optional fields of a Problem."""
    body = Problem(
        type="about:blank",
        title=HTTPStatus(status).phrase,
        status=status,
        code=code,
        detail=detail,
        **more,
    )
    return JSONResponse(body.model_dump(exclude_none=True), status, headers, media_type=MEDIA_TYPE)


def answer_to(error: PenstockError) -> JSONResponse:
    """The answer for an error of ours."""
    headers = {}
    if isinstance(error, RetryableError):
        headers["Retry-After"] = str(
            max(1, math.ceil(getattr(error, "retry_after_s", _RETRY_AFTER_S)))
        )
    if error.http_status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    more = {"field": getattr(error, "field", None), "task_id": getattr(error, "task_id", None)}
    return problem(error.http_status, error.code, str(error), headers=headers, **more)


async def _answer(_request: Request, error: Exception) -> JSONResponse:
    match error:
        case PenstockError():
            return answer_to(error)
        case RequestValidationError():
            return _invalid(error)
        # No route of ours answers it: it is FastAPI's status for a body that is not even text.
        case HTTPException(status_code=HTTPStatus.BAD_REQUEST):
            # Python reads no number of more than 4,300 digits.
            too_long = type(error.__cause__) is ValueError
            return answer_to(_TOO_MANY_DIGITS if too_long else _UNREADABLE)
        case HTTPException(status_code=status):
            code = HTTPStatus(status).name.lower()
            return problem(status, code, error.detail, headers=dict(error.headers or {}))
        case _:
            return answer_to(_UNEXPECTED)


def _invalid(error: RequestValidationError) -> JSONResponse:
    fault = error.errors()[0]
    if fault["type"] == "json_invalid":
        # Its place is a position in the text, which is no field.
        return answer_to(_UNREADABLE)
    field = ".".join(str(part) for part in fault["loc"][1:]) or str(fault["loc"][0])
    # Only a body without a JSON header stays as it came; curl says it sends a form by default.
    untyped = isinstance(fault.get("input"), bytes)
    reason = (
        "send it as JSON, with the header Content-Type: application/json"
        if untyped
        else fault["msg"]
    )
    return answer_to(InvalidInputError(f"{field}: {reason}", field=field))
