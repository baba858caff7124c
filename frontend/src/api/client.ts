import createClient, { type Middleware } from "openapi-fetch";
import { clock } from "./clock";
import { Problem, problemOf } from "./problem";
import type { paths } from "./schema";
import { session } from "./session";

/** Errors become a `Problem`, also when the service cannot be reached. */
const asProblem: Middleware = {
  async onResponse({ response }) {
    clock.hear(response.headers.get("date"));
    if (response.ok) return undefined;
    const problem = await problemOf(response);
    if (problem.status === 401) session.lost();
    throw problem;
  },
  onError({ error }) {
    return error instanceof Problem ? error : Problem.unreachable();
  },
};

const client = createClient<paths>({ baseUrl: "/", credentials: "same-origin" });
client.use(asProblem);

export { client };

/** The body of an answer, which is there: every other answer was thrown. */
export function body<T>(answer: { data?: T }): T {
  return answer.data as T;
}
