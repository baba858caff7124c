"""Whether a staged snapshot is plausible."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sqlalchemy import Row

    from penstock.inventory.snapshot import SnapshotCounts, SyncLimits
    from penstock.inventory.store import StoredAccount


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotFacts:
    """What is staged: `twice` ids are there more than once, `strangers` rows have other sellers.

    `users` are some of the sellers. The most frequent of the `currencies` comes first.
    """

    rows: int
    twice: int
    twice_sample: Sequence[int]
    currencies: Mapping[str, int]
    strangers: int
    users: Collection[int]


def suspicions(
    facts: SnapshotFacts,
    base: Row[Any] | None,
    counts: SnapshotCounts,
    limits: SyncLimits,
    account: StoredAccount,
) -> dict[str, str]:
    """A sentence for each reason not to publish it."""
    found = {
        "empty": _empty(facts, base, counts),
        "shrunk": _shrunk(base, counts, limits),
        "other_seller": _other_seller(facts, account),
        "duplicate_id": _duplicate_id(facts),
        "currency": _currency(facts, base),
    }
    return {reason: sentence for reason, sentence in found.items() if sentence}


def _empty(facts: SnapshotFacts, base: Row[Any] | None, counts: SnapshotCounts) -> str | None:
    if facts.rows:
        return None
    if counts.rejected:
        return f"none of the {counts.rejected:,} rows of the export can be read"
    if base is None or not base.products:
        return None
    return f"the export holds no products; {base.products:,} are published"


def _shrunk(base: Row[Any] | None, counts: SnapshotCounts, limits: SyncLimits) -> str | None:
    if (
        base is None
        or counts.gone <= limits.shrink_rows
        or counts.gone * 100 <= base.products * limits.shrink_percent
    ):
        return None
    share = counts.gone * 100 / base.products
    return (
        f"{counts.gone:,} of {base.products:,} published products are missing, {share:.1f} %;"
        f" more than {limits.shrink_percent:g} % is not published"
    )


def _other_seller(facts: SnapshotFacts, account: StoredAccount) -> str | None:
    if not facts.strangers:
        return None
    others = ", ".join(str(user) for user in sorted(facts.users) if user != account.user_id)
    ours = f"products of another seller than user {account.user_id}"
    return f"{ours}: {facts.strangers:,}, such as of user {others}"


def _duplicate_id(facts: SnapshotFacts) -> str | None:
    if not facts.twice:
        return None
    sample = ", ".join(map(str, facts.twice_sample))
    twice = f"product ids that come more than once: {facts.twice:,}, such as {sample}"
    return f"{twice}; of each the first row is kept"


def _currency(facts: SnapshotFacts, base: Row[Any] | None) -> str | None:
    """CardTrader shows prices in the currency of the user, so a new one means that it changed."""
    if base is None or not base.currencies or not facts.currencies:
        return None
    before, now = next(iter(_most_first(base.currencies))), next(iter(facts.currencies))
    strange = {
        name: count for name, count in facts.currencies.items() if name not in base.currencies
    }
    if strange:
        number, names = sum(strange.values()), ", ".join(strange)
        known = ", ".join(_most_first(base.currencies))
        return f"{number:,} prices are in {names}; the published ones are in {known}"
    if before == now:
        return None
    return f"most prices are in {now}; most of the published ones are in {before}"


def _most_first(currencies: Mapping[str, int]) -> list[str]:
    """By number: a stored JSON object has no order."""
    return [name for name, _ in Counter(currencies).most_common()]
