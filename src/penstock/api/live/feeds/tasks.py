"""The feed of tasks."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from penstock.api.live.feeds.channels import TasksChannel
from penstock.api.live.feeds.messages import message
from penstock.api.live.feeds.protocol import RunFeed
from penstock.api.schemas.task import Task
from penstock.errors import InvalidInputError
from penstock.runs.queries import RunList
from penstock.runs.run import ENDED

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from sqlalchemy import Connection

    from penstock.api.live.feeds.protocol import News
    from penstock.runs.queries import RunQueries, RunRow

_MOST_TASKS = 200


class TaskFeed(RunFeed[TasksChannel]):
    """Each step of a task is sent once."""

    kind = TasksChannel

    def __init__(self, runs: RunQueries) -> None:
        super().__init__()
        self._runs = runs
        # What to read: runs by number and by task, and whether a list has ended ones too.
        self._task_ids: set[str] = set()
        self._listed: set[bool] = set()
        self._seen: Sequence[RunRow] = ()
        self._tasks: dict[str, RunRow] = {}
        self._lists: dict[bool, Sequence[RunRow]] = {}

    def ask(
        self,
        changed: Collection[int],
        fresh: Collection[TasksChannel],
        again: Collection[TasksChannel],
    ) -> bool:
        """Read what changed and what is asked for; who asks again may have missed an end."""
        self._take(changed)
        self._listed = {
            ended for ended, asked in ((False, fresh), (True, again)) if TasksChannel() in asked
        }
        self._task_ids = {
            str(channel.task_id) for channel in (*fresh, *again) if channel.task_id is not None
        }
        return bool(self._changed or self._task_ids or self._listed)

    def read(self, connection: Connection) -> None:
        """Read runs; what is not asked for costs no statement."""
        runs, ids, task_ids = self._runs, self._changed, self._task_ids
        self._seen = runs.named(connection, ids=ids) if ids else ()
        named = runs.named(connection, task_ids=task_ids) if task_ids else ()
        self._tasks = {run.task_id: run for run in named}
        self._lists = {
            ended: runs.listed(connection, RunList(limit=_MOST_TASKS, active_only=not ended))[::-1]
            for ended in self._listed
        }

    def changes(self) -> Iterator[News]:
        """The steps that were not sent yet."""
        for run in self._seen:
            text = _message(run)
            if self._sent.get(run.id) == text:
                continue
            if run.state in ENDED:
                self._sent.pop(run.id, None)
            else:
                self._sent[run.id] = text
            yield {TasksChannel(), TasksChannel(task_id=uuid.UUID(run.task_id))}, text

    def state(self, channel: TasksChannel, *, again: bool) -> list[str]:
        """Follow a task, or all; gives the active ones, to returning followers ended ones too."""
        if channel.task_id is None:
            self._channels.add(channel)
            return [_message(run) for run in self._lists.get(again, ())]
        run = self._tasks.get(str(channel.task_id))
        if run is None:
            text = f"task_id: there is no task {channel.task_id}"
            raise InvalidInputError(text, field="task_id")
        self._channels.add(channel)
        return [_message(run)]


def _message(run: RunRow) -> str:
    return message("task", Task.of(run))
