"""Digests of submissions: by them the same work, and the same request, are found again."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from penstock.runs.run import Submission


def digest_of(submission: Submission) -> str:
    """The same for the same work: by it a finished run is found again."""
    return _digest(submission.kind, submission.params)


def request_digest_of(submission: Submission) -> str:
    """Equal for equal requests, even if the day changes what they mean."""
    asked = submission.params if submission.asked is None else submission.asked
    return _digest(submission.kind, asked)


def _digest(kind: str, params: Mapping[str, object]) -> str:
    text = json.dumps([kind, params], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
