"""Evidence: what a gap rests on, and when to ask for it again.

One answer proves nothing. A gap is first `unconfirmed`; ordinary runs ask for it again, each time
by another request. When enough answers over enough time agree that nothing is there, with rows on
both sides, it is an outage of the exchange; even that is asked for again.
Times are ms by the provider's clock.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_MINUTE = 60_000
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR

# Times after the first answer.
_UNCONFIRMED_AGAIN = (_MINUTE, 10 * _MINUTE, _HOUR, 6 * _HOUR, _DAY)
_SETTLED_AGAIN = (7 * _DAY, 30 * _DAY)
_AGREEING_ANSWERS = 3
_AGREEING_OVER = _DAY


@dataclass(frozen=True, slots=True)
class Evidence:
    """How often a gap was asked for, first and last when, and of which source.

    `due` is when to ask again (None: only when somebody wants it).
    """

    asked: int
    first_asked: int
    last_asked: int
    source: str
    due: int | None

    @classmethod
    def first(cls, at: int, source: str) -> Evidence:
        """The evidence of a first answer."""
        return cls(1, at, at, source, at + _UNCONFIRMED_AGAIN[0])

    def is_due(self, now: int) -> bool:
        """Whether to ask again; also when the last answer lies ahead, by a clock that was wrong."""
        return self.last_asked > now or (self.due is not None and self.due <= now)

    def again(self, at: int, source: str) -> Evidence:
        """After one more answer that agrees; one by a clock that was ahead counts for nothing."""
        if self.last_asked > at + _MINUTE:
            return Evidence.first(at, source)
        due = self._due(_UNCONFIRMED_AGAIN, at) or at + _DAY
        return Evidence(self.asked + 1, self.first_asked, max(at, self.last_asked), source, due)

    def settled(self) -> Evidence:
        """As the evidence of something settled, which is asked for only twice more."""
        return replace(self, due=self._due(_SETTLED_AGAIN, self.last_asked))

    def _due(self, steps: Sequence[int], at: int) -> int | None:
        """The first time after `at` that is one of these steps after the first answer."""
        return next((due for step in steps if (due := self.first_asked + step) > at), None)

    @property
    def lasting(self) -> int:
        """From the first answer to the last."""
        return self.last_asked - self.first_asked

    @property
    def confirms(self) -> bool:
        """Whether the answers suffice for an outage, if rows are on both sides."""
        return self.asked >= _AGREEING_ANSWERS and self.lasting >= _AGREEING_OVER

    def weaker(self, other: Evidence) -> Evidence:
        """The evidence of two neighbouring gaps as one: what holds for both; the newer look."""
        weaker = min(self, other, key=lambda evidence: (evidence.asked, evidence.lasting))
        last = max(self.last_asked, other.last_asked)
        return replace(weaker, first_asked=last - min(self.lasting, other.lasting), last_asked=last)
