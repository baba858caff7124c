import type { components } from "../../api/schema";
import { useWords } from "../../preferences";

type Job = components["schemas"]["JobShown"];

/** What a job is called: by its config, else by what Penstock's own jobs do. */
export function useJobName(): (job: Job) => string {
  const { jobs } = useWords();
  return ({ name, symbol }) => symbol ?? jobs[name] ?? name;
}
