"""What a domain declares: the one value by which the engine, schedules, configs, alerts and the commands know it.

An installed package brings a domain by an entry point of the group `penstock.domains`: a function that is called with the parts of this process
(`penstock.domains.parts.Parts`) and gives a Domain.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeAlias

from penstock.errors import InvalidInputError

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from sqlalchemy import Connection, Table

    from penstock.alerts.rules import SubjectRule
    from penstock.runs.context import RunContext
    from penstock.runs.run import LogEntry, Run, Submission
    from penstock.runs.runner import Outcome
    from penstock.runs.schedule import Schedule

Work: TypeAlias = "Callable[[RunContext], Awaitable[Outcome]]"
Busy: TypeAlias = Callable[[Sequence[str]], set[str]]
Plan: TypeAlias = "Callable[[Connection, Schedule, Busy], Submission | None]"


def _logs_nothing(_run: Run) -> Sequence[LogEntry]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of run: its work, the rows that it has in the execution log, and the run that a due schedule of it becomes.

    `plan` gets the schedule and a function that tells which of some resources an active run holds; it gives None to skip this turn. `judged`: how
    long it takes and how much it writes is up to us, so the alert rules look at it.
    """

    name: str
    work: Work
    log: Callable[[Run], Sequence[LogEntry]] = _logs_nothing
    plan: Plan | None = None
    judged: bool = False


class ConfigRules(Protocol):
    """What the configs of some exchanges can say. A domain says so for its own exchanges, and knows nothing of the others.

    `exchanges` are their names, and `kind` is that of the runs of a config.
    """

    kind: str

    @property
    def exchanges(self) -> Sequence[str]:
        """The exchanges whose configs these are."""

    async def config_symbols(self, exchange: str, names: Sequence[str], /) -> Mapping[str, str]:
        """The symbol of each name, as a config keeps it; InvalidInputError for a name that is not there, naming the nearest."""

    def config_timeframes(self, given: Sequence[str] | None, /) -> tuple[str, ...]:
        """Checked, each once; None: those that a config has when none are given."""

    def of_config(self, connection: Connection, params: Mapping[str, object], /) -> Submission:
        """The run of a config, of which these are `exchange`, `symbol` and `timeframes`; InvalidInputError when the symbol is not there any more."""

    def hold(self, connection: Connection, symbol: str, /) -> None:
        """Keep what a config names as it is until the transaction ends; ConflictError when it has just changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """What is collected of one field. `default_exchange` is meant in a config that names none.

    `tables` are made where they are not there yet; their changes are the domain's own affair. `schedules` run by themselves, `first_runs` gives what
    is to run at once when scheduling begins. `uses` are what its own routes and commands work with. `lifetime` is open while the process works.
    """

    name: str
    kinds: Sequence[Kind]
    default_exchange: str | None = None
    configs: ConfigRules | None = None
    tables: Sequence[Table] = ()
    schedules: Sequence[Schedule] = ()
    first_runs: Callable[[], Awaitable[Sequence[Submission]]] | None = None
    rules: Sequence[SubjectRule] = ()
    logged_names: Callable[[Connection, str], str | None] | None = None
    uses: Sequence[object] = ()
    lifetime: AbstractAsyncContextManager[object] | None = None


@dataclass(frozen=True)
class Domains:
    """All domains of a process. InvalidInputError when two of them claim the same name."""

    all: Sequence[Domain]
    kinds: Mapping[str, Kind] = field(init=False)

    def __post_init__(self) -> None:
        kinds = [kind for one in self.all for kind in one.kinds]
        _refuse_twice("kind of run", [kind.name for kind in kinds])
        _refuse_twice(
            "exchange", [name for one in self.all if one.configs for name in one.configs.exchanges]
        )
        _refuse_twice("schedule", [schedule.name for one in self.all for schedule in one.schedules])
        _refuse_twice("default exchange", ["default" for one in self.all if one.default_exchange])
        _refuse_twice("alert rule", [rule.name for one in self.all for rule in one.rules])
        object.__setattr__(self, "kinds", {kind.name: kind for kind in kinds})

    def log_entries(self, run: Run) -> Sequence[LogEntry]:
        """The rows of a run in the execution log; none of a kind that this version does not know."""
        kind = self.kinds.get(run.kind)
        return () if kind is None else kind.log(run)

    def planned(self, connection: Connection, schedule: Schedule, busy: Busy) -> Submission | None:
        """The run of a due schedule, None to skip it this time; InvalidInputError when nobody knows what it is."""
        kind = self.kinds.get(schedule.kind)
        if kind is None or kind.plan is None:
            message = f"schedule: no schedule can be of kind {schedule.kind} here; install what made it, or remove it"
            raise InvalidInputError(message, field="schedule")
        return kind.plan(connection, schedule, busy)

    def of_exchange(self, exchange: str) -> ConfigRules:
        """The rules of the configs of an exchange; InvalidInputError when no domain has it."""
        rules = {
            name: one.configs for one in self.all if one.configs for name in one.configs.exchanges
        }
        found = rules.get(exchange)
        if found is None:
            message = f"exchange: unknown exchange {exchange[:40]!r}; use one of {', '.join(sorted(rules))}"
            raise InvalidInputError(message, field="exchange")
        return found

    @property
    def default_exchange(self) -> str:
        """The exchange that is meant where a config names none."""
        return next((one.default_exchange for one in self.all if one.default_exchange), "")

    def logged_name(self, connection: Connection, name: str) -> str | None:
        """What a name stands for in the execution log, if some domain knows it."""
        looks = (one.logged_names for one in self.all if one.logged_names)
        return next((found for look in looks if (found := look(connection, name))), None)


def _refuse_twice(what: str, names: Sequence[str]) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        message = f"domains: {what} {twice[0]!r} is declared twice; remove one of the packages that bring it"
        raise InvalidInputError(message, field="domains")
