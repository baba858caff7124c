import { Problem } from "../api/problem";

/** Where the errors of a form belong: beside the field that the service names, or above all. */
export type FieldErrors = {
  /** What is wrong with a field. */
  of: (field: string) => string | undefined;
  /** The error that belongs to none of the form's fields. */
  rest: Error | null;
};

/** The places of a failed request's error in a form that has these fields. */
export function fieldErrors(error: Error | null, fields: readonly string[]): FieldErrors {
  const field = error instanceof Problem ? fieldOf(error.field, fields) : undefined;
  return {
    of: (asked) => (asked === field ? error?.message : undefined),
    rest: field === undefined ? error : null,
  };
}

/** The field of a form; the service may name one of its items, such as `timeframes[2]`. */
function fieldOf(named: string | undefined, fields: readonly string[]): string | undefined {
  return fields.find((field) => named === field || named?.match(/^\w+/)?.[0] === field);
}
