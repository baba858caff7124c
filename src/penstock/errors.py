"""Every error of Penstock. Its class says what happens next: retry, stop, or skip the row.

```
PenstockError
├── RetryableError              the same request may succeed later
│   ├── SourceUnavailableError      time-out, reset, 5xx, a body that is cut or is not what was promised
│   ├── RateLimitedError            429 or 418: not one request before the provider's pause is over
│   ├── StoreUnavailableError       the database cannot be reached, or is locked by somebody else
│   ├── RunUnavailableError         every series of a run failed, and might not later
│   ├── TooManyRequestsError        somebody asks our service too often
│   └── UndeliveredError            an alert target did not take a message
├── StopError                   trying again changes nothing
│   ├── InvalidInputError           a field of the request is wrong; names it and the fix
│   ├── NotFoundError               what was asked for is not here
│   ├── AccessError                 there is no token, or a wrong one
│   │   └── ForbiddenError              the token is good for less than this
│   │       └── ForbiddenHostError          the request was meant for another site
│   ├── TooLargeError               a request's body is longer than any that makes sense
│   ├── SecretKeyError              the key of the stored secrets is missing, or is another one
│   ├── SourceRefusedError          the provider says no (unknown symbol, forbidden, wrong region)
│   ├── SourceMisfitError           the provider answers something else than what it was asked
│   ├── ConflictError               another run or another process holds what this one needs
│   ├── FencedError                 this run was taken over; nothing more may be written
│   └── RunFailedError              every series of a run failed for good
└── SourceError                 whatever a provider did to us: one series fails, the others go on
```

A bad row is no error but a value: penstock.market.candle.Rejected goes to quarantine, and the rest of its page is stored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterator


class PenstockError(Exception):
    """Base of all; `exit_code` is what the CLI ends with, `http_status` and `code` what the API answers."""

    exit_code: ClassVar[int] = 1
    http_status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"


class RetryableError(PenstockError):
    """The same request may succeed later."""

    exit_code = 4
    http_status = 503
    code = "unavailable"


class SourceError(PenstockError):
    """Whatever a provider did to us; it fails one series and not the others."""


class SourceUnavailableError(RetryableError, SourceError):
    """The provider did not answer in time, or not with what it promised."""

    code = "source_unavailable"


class RateLimitedError(RetryableError, SourceError):
    """The provider told us to wait; `retry_after_s` counts from now."""

    code = "source_rate_limited"

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class StoreUnavailableError(RetryableError):
    """The database cannot be reached, or is locked by somebody else."""

    code = "database_unavailable"


class RunUnavailableError(RetryableError):
    """Every series of a run failed, for reasons that may pass."""

    code = "run_unavailable"


class TooManyRequestsError(RetryableError):
    """Somebody asks our service too often, or tries tokens; `retry_after_s` counts from now."""

    http_status = 429
    code = "too_many_requests"

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class UndeliveredError(RetryableError):
    """An alert target did not take a message."""

    code = "alert_undelivered"


class StopError(PenstockError):
    """Trying again changes nothing."""


class InvalidInputError(StopError):
    """A field of the request is wrong; the message names the field and the fix."""

    exit_code = 2
    http_status = 422
    code = "invalid_input"

    def __init__(self, message: str, *, field: str) -> None:
        super().__init__(message)
        self.field = field


class NotFoundError(StopError):
    """What was asked for is not here; the message says how to get it."""

    exit_code = 2
    http_status = 404
    code = "not_found"


class AccessError(StopError):
    """The service needs a token, and got none or a wrong one."""

    exit_code = 7
    http_status = 401
    code = "unauthorized"


class ForbiddenError(AccessError):
    """The token is good for less than this."""

    http_status = 403
    code = "forbidden"


class ForbiddenHostError(ForbiddenError):
    """The request names another site: a page of that site sent it, or the name is not among the allowed ones."""

    code = "forbidden_host"


class TooLargeError(StopError):
    """A request's body is longer than any that makes sense."""

    exit_code = 2
    http_status = 413
    code = "too_large"


class SecretKeyError(StopError):
    """The key of the stored secrets is missing, or is another one; the message says what to set."""

    exit_code = 2
    http_status = 409
    code = "secret_key"


class SourceRefusedError(StopError, SourceError):
    """The provider says no: unknown symbol, forbidden, wrong region.

    `status` is that of its answer, if there was one; `whatever`: it refuses us, whatever is asked.
    """

    exit_code = 3
    http_status = 502
    code = "source_refused"

    def __init__(self, message: str, *, status: int | None = None, whatever: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.whatever = whatever


class SourceMisfitError(StopError, SourceError):
    """The provider answers something else than what it was asked, also when asked again."""

    exit_code = 4
    http_status = 502
    code = "source_misfit"


class ConflictError(StopError):
    """Another run or another process holds what this one needs; `task_id` is the run that does, if it is one."""

    exit_code = 5
    http_status = 409
    code = "conflict"

    def __init__(self, message: str, *, task_id: str | None = None) -> None:
        super().__init__(message)
        self.task_id = task_id


class FencedError(StopError):
    """This run was taken over by another worker; nothing more may be written."""

    exit_code = 5
    code = "fenced"


class RunFailedError(StopError):
    """Every series of a run failed."""

    exit_code = 3
    code = "run_failed"


def error_of(
    code: str, message: str, *, field: str = "", task_id: str | None = None
) -> PenstockError:
    """The error that an answer of the API, or the record of a run, names by its code."""
    kind = next((one for one in _below(PenstockError) if vars(one).get("code") == code), None)
    if kind is None:
        return PenstockError(message)
    if issubclass(kind, InvalidInputError):
        return kind(message, field=field)
    if issubclass(kind, ConflictError):
        return kind(message, task_id=task_id)
    if issubclass(kind, RateLimitedError | TooManyRequestsError):
        return kind(message, retry_after_s=0.0)
    return kind(message)


def _below(kind: type[PenstockError]) -> Iterator[type[PenstockError]]:
    for one in kind.__subclasses__():
        yield one
        yield from _below(one)
