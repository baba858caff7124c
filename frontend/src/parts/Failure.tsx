import { Alert, Button, Group, Text } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { IconAlertTriangle } from "@tabler/icons-react";
import { useCallback } from "react";
import { Problem } from "../api/problem";
import { useWords } from "../preferences";
import { type FieldErrors, fieldErrors } from "./fields";

/** What an error says, in a sentence. */
export function useProblemText(): (error: Error) => string {
  const { problem } = useWords();
  return useCallback(
    (error) => {
      if (!(error instanceof Problem)) return problem.broken;
      if (error.status === 0) return problem.unreachable;
      if (error.status === 403) return problem.forbidden;
      if (error.message === "") return problem.unexpected(error.status);
      return problem.saying(error.code, error.message);
    },
    [problem],
  );
}

/** The places of a failed request's error in a form that has these fields. */
export function useFieldErrors(error: Error | null, fields: readonly string[]): FieldErrors {
  const { problem } = useWords();
  return fieldErrors(error, fields, problem.saying);
}

/** Tell that a change failed. */
export function useTellFailure(): (error: Error) => void {
  const { problem } = useWords();
  const textOf = useProblemText();
  return useCallback(
    (error) => {
      notifications.show({
        color: "red",
        title: problem.title,
        message: textOf(error),
        autoClose: 10_000,
      });
    },
    [problem, textOf],
  );
}

/** An error in a line, such as above the button that led to it; nothing without one. */
export function ErrorLine({ error }: { error: Error | null }) {
  const textOf = useProblemText();
  if (error === null) return null;
  return (
    <Text size="sm" c="red" role="alert">
      {textOf(error)}
    </Text>
  );
}

/** An error in the place of what it kept from being shown. */
export function Failure({ error, retry }: { error: Error; retry: () => void }) {
  const { problem } = useWords();
  const textOf = useProblemText();
  return (
    <Alert color="red" icon={<IconAlertTriangle aria-hidden />} title={problem.title} role="alert">
      <Text size="sm">{textOf(error)}</Text>
      <Group mt="sm">
        <Button size="xs" variant="light" color="red" onClick={retry}>
          {problem.retry}
        </Button>
      </Group>
    </Alert>
  );
}
