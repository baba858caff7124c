import { body, client } from "../api/client";
import { clock } from "../api/clock";
import { useLiveList } from "./list";
import type { LiveList } from "./merged";
import type { Alert, Task } from "./socket";

const MOST = 500;
/** As long as the API lists a task that has ended. */
const ENDED_MS = 300_000;

const tasks: LiveList<Task> = {
  key: ["tasks"],
  channel: { channel: "tasks" },
  fetch: async () => body(await client.GET("/api/v1/data-collector/tasks")).tasks,
  of: (news) => (news.type === "task" ? news : undefined),
  id: (task) => task.task_id,
  keep: ({ completed_at }) =>
    completed_at === null || clock.now() - Date.parse(completed_at) < ENDED_MS,
  most: MOST,
};

/** The active tasks, and those that ended recently; the newest first. */
export const useTasks = () => useLiveList(tasks);

const alerts: LiveList<Alert> = {
  key: ["alerts"],
  channel: { channel: "alert" },
  fetch: async () =>
    body(
      await client.GET("/api/v1/admin/alerts", {
        params: { query: { state: "firing", limit: MOST } },
      }),
    ).alerts,
  of: (news) => (news.type === "alert" ? news : undefined),
  id: (alert) => `${alert.rule} ${alert.subject}`,
  keep: (alert) => alert.state === "firing",
  most: MOST,
};

/** The alerts that fire, the newest first. */
export const useAlerts = () => useLiveList(alerts);
