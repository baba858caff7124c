"""The declaration of a domain, for the engine, schedules, configs, alerts and commands.

An installed package provides a domain through an entry point of the group `penstock.domains`: a
function that takes the parts of this process (`penstock.domains.parts.Parts`) and gives a Domain.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

from penstock.errors import InvalidInputError

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from sqlalchemy import Connection, Table

    from penstock.alerts.rules import SubjectRule
    from penstock.runs.run import LogEntry, Run, Submission
    from penstock.runs.runner import RunWork
    from penstock.runs.schedule import Schedule

Busy: TypeAlias = Callable[[Sequence[str]], set[str]]
Plan: TypeAlias = "Callable[[Connection, Schedule, Busy], Submission | None]"
# Why the schedules of a kind of run submit nothing now; None while they do.
Asleep: TypeAlias = "Callable[[Connection, str], str | None]"


def _logs_nothing(_run: Run) -> Sequence[LogEntry]:
    return ()


def awake(_connection: Connection, _kind: str) -> None:
    """The Asleep of schedules that always run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunKind:
    """A kind of run: its work, its rows in the execution log, and the run of a due schedule.

    `plan` takes the schedule and a function that gives those of some resources that active runs
    hold; None skips this turn. Alert rules evaluate `judged` kinds, whose duration and records
    depend on us.
    """

    name: str
    work: RunWork
    log: Callable[[Run], Sequence[LogEntry]] = _logs_nothing
    plan: Plan | None = None
    judged: bool = False


class ConfigRules(Protocol):
    """The rules for configs of a domain's exchanges; `kind` is the kind of a config's runs."""

    kind: str

    @property
    def exchanges(self) -> Sequence[str]:
        """The names of the exchanges."""

    async def config_symbols(self, exchange: str, names: Sequence[str], /) -> Mapping[str, str]:
        """The unified symbol of each name; InvalidInputError names the nearest known ones."""

    def config_timeframes(self, given: Sequence[str] | None, /) -> tuple[str, ...]:
        """The checked timeframes without duplicates; the default ones for None."""

    def of_config(self, connection: Connection, params: Mapping[str, object], /) -> Submission:
        """The run of a config with these `exchange`, `symbol` and `timeframes`.

        InvalidInputError when the symbol is gone.
        """

    def hold(self, connection: Connection, symbol: str, /) -> None:
        """Lock what a config names until the transaction ends; ConflictError if it just changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """One kind of data to collect.

    `default_exchange` applies to configs that name none. Missing `tables` are created; migrating
    them is up to the domain. `schedules` run automatically, except while they are `asleep`;
    `first_runs` gives the runs to submit when scheduling begins. The domain's routes and commands
    work with `uses`. `lifetime` is entered while the process works.
    """

    name: str
    kinds: Sequence[RunKind]
    default_exchange: str | None = None
    configs: ConfigRules | None = None
    tables: Sequence[Table] = ()
    schedules: Sequence[Schedule] = ()
    asleep: Asleep = awake
    first_runs: Callable[[], Awaitable[Sequence[Submission]]] | None = None
    rules: Sequence[SubjectRule] = ()
    logged_names: Callable[[Connection, str], str | None] | None = None
    uses: Sequence[object] = ()
    lifetime: AbstractAsyncContextManager[object] | None = None


class Domains:
    """All domains of a process. InvalidInputError when two of them declare the same name."""

    def __init__(self, domains: Sequence[Domain]) -> None:
        self.all = domains
        self.schedules = [schedule for domain in domains for schedule in domain.schedules]
        self.rules = [rule for domain in domains for rule in domain.rules]
        kinds = [kind for domain in domains for kind in domain.kinds]
        configs = [domain.configs for domain in domains if domain.configs]
        exchanges = [(name, rules) for rules in configs for name in rules.exchanges]
        defaults = [domain.default_exchange for domain in domains if domain.default_exchange]
        _refuse_duplicate("kind of run", [kind.name for kind in kinds])
        _refuse_duplicate("exchange", [name for name, _ in exchanges])
        _refuse_duplicate("schedule", [schedule.name for schedule in self.schedules])
        _refuse_duplicate("default exchange", ["default" for _ in defaults])
        _refuse_duplicate("alert rule", [rule.name for rule in self.rules])
        self.kinds = {kind.name: kind for kind in kinds}
        # The exchange of configs that name none.
        self.default_exchange = defaults[0] if defaults else ""
        self._rules = dict(exchanges)

    def log_entries(self, run: Run) -> Sequence[LogEntry]:
        """The rows of a run in the execution log; none for an unknown kind."""
        kind = self.kinds.get(run.kind)
        return () if kind is None else kind.log(run)

    def planned(self, connection: Connection, schedule: Schedule, busy: Busy) -> Submission | None:
        """The run of a due schedule, None to skip it; InvalidInputError for an unknown kind."""
        kind = self.kinds.get(schedule.kind)
        if kind is None or kind.plan is None:
            raise InvalidInputError(
                f"schedule: the kind {schedule.kind} is not known here; "
                "install the package that provides it, or remove the schedule",
                field="schedule",
            )
        return kind.plan(connection, schedule, busy)

    def asleep(self, connection: Connection, kind: str) -> str | None:
        """Why the schedules of a kind of run submit nothing now; None while they do."""
        reasons = (domain.asleep(connection, kind) for domain in self.all)
        return next((reason for reason in reasons if reason is not None), None)

    def of_exchange(self, exchange: str) -> ConfigRules:
        """The config rules of an exchange; InvalidInputError for an unknown one."""
        if exchange in self._rules:
            return self._rules[exchange]
        known = ", ".join(sorted(self._rules))
        raise InvalidInputError(
            f"exchange: unknown exchange {exchange[:40]!r}; use one of {known}", field="exchange"
        )

    def logged_name(self, connection: Connection, name: str) -> str | None:
        """The symbol in the execution log that a user's name means, if a domain knows it."""
        lookups = (domain.logged_names for domain in self.all if domain.logged_names)
        return next((found for lookup in lookups if (found := lookup(connection, name))), None)


def _refuse_duplicate(what: str, names: Sequence[str]) -> None:
    duplicates = [name for name, count in Counter(names).items() if count > 1]
    if duplicates:
        raise InvalidInputError(
            f"domains: {what} {duplicates[0]!r} is declared twice; "
            "remove one of the packages that provide it",
            field="domains",
        )
