/** What the service could not do, in its own words: RFC 9457. */
export class Problem extends Error {
  readonly status: number;
  readonly code: string;
  /** The field of the request that is wrong. */
  readonly field: string | undefined;
  /** Of a conflict: the task that holds what was asked for. */
  readonly taskId: string | undefined;
  readonly retryAfterS: number | undefined;

  constructor(
    status: number,
    code: string,
    detail: string,
    more: { field?: string; task_id?: string; retryAfterS?: number } = {},
  ) {
    super(detail);
    this.status = status;
    this.code = code;
    this.field = more.field;
    this.taskId = more.task_id;
    this.retryAfterS = more.retryAfterS;
  }

  /** No answer came at all. */
  static unreachable(): Problem {
    return new Problem(0, "unreachable", "");
  }

  /** Whether the same request may succeed later. */
  get passes(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

/** The problem of an answer; a proxy in between answers with no JSON. */
export async function problemOf(response: Response): Promise<Problem> {
  const retryAfterS = Number(response.headers.get("retry-after")) || undefined;
  const more = retryAfterS === undefined ? {} : { retryAfterS };
  try {
    const told = await response.json();
    return new Problem(response.status, told.code, told.detail, { ...told, ...more });
  } catch {
    return new Problem(response.status, "no_problem", response.statusText, more);
  }
}
