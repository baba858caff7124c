"""Every error of Penstock. Its class says what happens next: retry, stop, or skip the row.

```
PenstockError
├── RetryableError              the same request may succeed later
│   ├── SourceUnavailableError      timeout, reset, 5xx, a body that is cut or malformed
│   ├── RateLimitedError            429 or 418: no request before the provider's pause ends
│   ├── StoreUnavailableError       the database cannot be reached, or is locked
│   ├── RunUnavailableError         every series of a run failed, for transient reasons
│   ├── TooManyRequestsError        a client exceeds our own request limit
│   └── UndeliveredError            an alert target did not accept a message
├── StopError                   trying again changes nothing
│   ├── InvalidInputError           a field of the request is wrong; names it and the fix
│   ├── NotFoundError               the requested object does not exist
│   ├── AccessError                 the token is missing or wrong
│   │   └── ForbiddenError              the token's scope is too small
│   │       └── ForbiddenHostError          the request was meant for another site
│   ├── TooLargeError               the body of a request is too large
│   ├── SecretKeyError              the key of the stored secrets is missing or wrong
│   ├── SourceRefusedError          the provider refuses (unknown symbol, forbidden, region)
│   ├── SourceMisfitError           the provider's answer does not fit the request
│   ├── ConflictError               another run or process holds what this one needs
│   ├── FencedError                 this run was taken over; it must not write any more
│   └── RunFailedError              every series of a run failed
└── SourceError                 a provider's failure: one series fails, the others go on
```

A bad row is a value, not an error: penstock.market.candle.Rejected goes to quarantine, and the rest
of its page is stored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterator


class PenstockError(Exception):
    """Base class, with the `exit_code` of the CLI, and `http_status` and `code` of the API."""

    exit_code: ClassVar[int] = 1
    http_status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"


class RetryableError(PenstockError):
    """The same request may succeed later."""

    exit_code = 4
    http_status = 503
    code = "unavailable"


class SourceError(PenstockError):
    """A provider's failure, which fails one series and not the others."""


class SourceUnavailableError(RetryableError, SourceError):
    """The provider did not answer in time, or not as documented."""

    code = "source_unavailable"


class RateLimitedError(RetryableError, SourceError):
    """The provider asked us to wait; `retry_after_s` counts from now."""

    code = "source_rate_limited"

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class StoreUnavailableError(RetryableError):
    """The database cannot be reached, or another process locks it."""

    code = "database_unavailable"


class RunUnavailableError(RetryableError):
    """Every series of a run failed, for transient reasons."""

    code = "run_unavailable"


class TooManyRequestsError(RetryableError):
    """A client sends too many requests, or tries tokens; `retry_after_s` counts from now."""

    http_status = 429
    code = "too_many_requests"

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class UndeliveredError(RetryableError):
    """An alert target did not accept a message."""

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
    """The requested object does not exist; the message says how to get it."""

    exit_code = 2
    http_status = 404
    code = "not_found"


class AccessError(StopError):
    """The token is missing or wrong."""

    exit_code = 7
    http_status = 401
    code = "unauthorized"


class ForbiddenError(AccessError):
    """The token's scope is too small."""

    http_status = 403
    code = "forbidden"


class ForbiddenHostError(ForbiddenError):
    """The request names another site: that site sent it, or its host is not an allowed one."""

    code = "forbidden_host"


class TooLargeError(StopError):
    """The body of a request is too large."""

    exit_code = 2
    http_status = 413
    code = "too_large"


class SecretKeyError(StopError):
    """The key of the stored secrets is missing or wrong; the message says what to set."""

    exit_code = 2
    http_status = 409
    code = "secret_key"


class SourceRefusedError(StopError, SourceError):
    """The provider refuses: unknown symbol, forbidden, wrong region.

    `status` is that of its answer, if any; a `blanket` refusal covers all requests from us.
    """

    exit_code = 3
    http_status = 502
    code = "source_refused"

    def __init__(self, message: str, *, status: int | None = None, blanket: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.blanket = blanket


class SourceMisfitError(StopError, SourceError):
    """The provider's answer does not fit the request, not even the second time."""

    exit_code = 4
    http_status = 502
    code = "source_misfit"


class ConflictError(StopError):
    """Another run or process holds what this one needs; `task_id` is that run's."""

    exit_code = 5
    http_status = 409
    code = "conflict"

    def __init__(self, message: str, *, task_id: str | None = None) -> None:
        super().__init__(message)
        self.task_id = task_id


class FencedError(StopError):
    """Another worker took this run over; it must not write any more."""

    exit_code = 5
    code = "fenced"


class RunFailedError(StopError):
    """Every series of a run failed."""

    exit_code = 3
    code = "run_failed"


def error_of(
    code: str, message: str, *, field: str = "", task_id: str | None = None
) -> PenstockError:
    """The error with this code, from an answer of the API or the record of a run."""
    kind = next((kind for kind in _below(PenstockError) if vars(kind).get("code") == code), None)
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
    for subclass in kind.__subclasses__():
        yield subclass
        yield from _below(subclass)
