"""Evidence: what a gap rests on, and when it is looked at again.

One answer proves nothing. A gap is first `unconfirmed`; ordinary runs ask for it again, each time by another request; when enough answers
over enough time agree that nothing is there although rows are on both sides, it is an outage of the exchange, and even that is asked for again.
All times are ms by the provider's clock.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

_MINUTE = 60_000
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR

# After the first look.
_UNCONFIRMED_AGAIN = (_MINUTE, 10 * _MINUTE, _HOUR, 6 * _HOUR, _DAY)
_SETTLED_AGAIN = (7 * _DAY, 30 * _DAY)
_AGREEING_ANSWERS = 3
_AGREEING_OVER = _DAY


@dataclass(frozen=True, slots=True)
class Evidence:
    """How often a gap was asked for, when first and last, of which source; `due` is when to ask again, None: only when somebody wants it."""

    asked: int
    first_asked: int
    last_asked: int
    source: str
    due: int | None

    @classmethod
    def first(cls, at: int, source: str) -> Evidence:
        """Of a gap that was asked for once."""
        return cls(1, at, at, source, at + _UNCONFIRMED_AGAIN[0])

    def is_due(self, now: int) -> bool:
        """Whether it is time to ask again; of what was asked later than now, the clock was wrong that said so."""
        return self.last_asked > now or (self.due is not None and self.due <= now)

    def again(self, at: int, source: str) -> Evidence:
        """After one more answer that agrees; what was said by a clock that was ahead counts for nothing."""
        if self.last_asked > at + _MINUTE:
            return Evidence.first(at, source)
        later = (self.first_asked + after for after in _UNCONFIRMED_AGAIN)
        due = next((due for due in later if due > at), at + _DAY)
        return Evidence(self.asked + 1, self.first_asked, max(at, self.last_asked), source, due)

    def settled(self) -> Evidence:
        """As the evidence of something that is looked at but twice more."""
        later = (self.first_asked + after for after in _SETTLED_AGAIN)
        return replace(self, due=next((due for due in later if due > self.last_asked), None))

    @property
    def lasting(self) -> int:
        """From the first look to the last."""
        return self.last_asked - self.first_asked

    @property
    def confirms(self) -> bool:
        """Whether so many answers over so long are enough for an outage, if rows are on both sides."""
        return self.asked >= _AGREEING_ANSWERS and self.lasting >= _AGREEING_OVER

    def weaker(self, other: Evidence) -> Evidence:
        """What can be said of two neighbouring gaps as one: what holds for each of them; the newer look is the last one."""
        weaker = min(self, other, key=lambda one: (one.asked, one.lasting))
        last = max(self.last_asked, other.last_asked)
        return replace(weaker, first_asked=last - min(self.lasting, other.lasting), last_asked=last)
