/** The service's clock: due times go by it, and a browser's can be wrong by minutes. */
class Clock {
  private aheadMs = 0;

  /** Take in the `Date` header of an answer, which has whole seconds. */
  hear(date: string | null): void {
    const told = date === null ? Number.NaN : Date.parse(date);
    if (Number.isNaN(told)) return;
    const ahead = told + 500 - Date.now();
    this.aheadMs = Math.abs(ahead) < 1_500 ? 0 : ahead;
  }

  now(): number {
    return Date.now() + this.aheadMs;
  }
}

export const clock = new Clock();
