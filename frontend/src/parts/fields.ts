import { Problem } from "../api/problem";

/** Where the errors of a form belong: beside the field that the service names, or above all. */
export type FieldErrors = {
  /** What is wrong with a field. */
  of: (field: string) => string | undefined;
  /** The error that belongs to none of the form's fields. */
  rest: Error | null;
};

type Saying = (code: string, detail: string) => string;

/** The places of a failed request's error in a form that has these fields. */
export function fieldErrors(
  error: Error | null,
  fields: readonly string[],
  saying: Saying,
): FieldErrors {
  if (!(error instanceof Problem)) return { of: () => undefined, rest: error };
  const field = fieldOf(error.field, fields);
  return {
    of: (asked) => (asked === field ? saying(error.code, withoutField(error.message)) : undefined),
    rest: field === undefined ? error : null,
  };
}

/** The field of a form; the service may name one of its items, such as `timeframes[2]`. */
function fieldOf(named: string | undefined, fields: readonly string[]): string | undefined {
  return fields.find((field) => named === field || named?.match(/^\w+/)?.[0] === field);
}

/** A message without the field that it begins with, for a place that names the field. */
export const withoutField = (message: string) => message.replace(/^[\w.[\]]+: /, "");
