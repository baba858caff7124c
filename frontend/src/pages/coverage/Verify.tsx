import {
  Anchor,
  Button,
  Checkbox,
  Group,
  NativeSelect,
  SimpleGrid,
  Stack,
  Text,
  TextInput,
} from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { Link } from "wouter";
import { body, client } from "../../api/client";
import { useTask } from "../../live/task";
import { Answer } from "../../parts/Answer";
import { Failure, useFieldErrors } from "../../parts/Failure";
import { Outcome } from "../../parts/outcome/Outcome";
import { Section } from "../../parts/Section";
import { TaskRow } from "../../parts/TaskRow";
import { useWords } from "../../preferences";
import { usePlace, type View } from "./filters";

const FIELDS = ["symbols", "timeframes", "exchange", "start", "end", "against", "sample"] as const;
type Values = Record<(typeof FIELDS)[number], string> & { repair: boolean };

/** Check what is stored, with a report to read. */
export function Verify() {
  const { coverage } = useWords();
  const { view, verified } = usePlace();
  return (
    <Section title={coverage.verify}>
      <Stack>
        <Text size="sm" c="dimmed">
          {coverage.verifyText}
        </Text>
        <VerifyForm view={view} />
        {verified !== undefined && <Report id={verified} />}
      </Stack>
    </Section>
  );
}

const listOf = (text: string) => text.split(/[\s,]+/).filter(Boolean);

function useVerifying() {
  const { change } = usePlace();
  return useMutation({
    mutationFn: async (values: Values) => {
      const [symbols, timeframes] = [listOf(values.symbols), listOf(values.timeframes)];
      const order = {
        ...(symbols.length > 0 && { symbols }),
        ...(timeframes.length > 0 && { timeframes }),
        ...(values.exchange && { exchange: values.exchange }),
        ...(values.start && { start: `${values.start}Z` }),
        ...(values.end && { end: `${values.end}Z` }),
        ...(values.sample && { sample: Number(values.sample) }),
        against: values.against === "rest" ? ("rest" as const) : ("none" as const),
        repair: values.repair,
      };
      return body(await client.POST("/api/v1/verify", { body: order })).task_id;
    },
    onSuccess: (taskId) => change({ verify: taskId }),
  });
}

/** What to verify: what is typed, else the series that the filters name. */
function VerifyForm({ view }: { view: View }) {
  const { coverage } = useWords();
  const [typed, setTyped] = useState<Partial<Values>>({});
  const values: Values = {
    symbols: view.symbol ?? "",
    timeframes: view.timeframe ?? "",
    exchange: view.exchange ?? "",
    start: "",
    end: "",
    against: "none",
    sample: "",
    repair: false,
    ...typed,
  };
  const verifying = useVerifying();
  const errors = useFieldErrors(verifying.error, FIELDS);
  const field = (name: (typeof FIELDS)[number]) => ({
    value: values[name],
    error: errors.of(name),
    onChange: ({ currentTarget: { value } }: { currentTarget: { value: string } }) =>
      setTyped((old) => ({ ...old, [name]: value })),
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    verifying.mutate(values);
  };
  return (
    <form onSubmit={submit} aria-label={coverage.verify}>
      <Stack gap="sm">
        <SimpleGrid cols={{ base: 1, sm: 3, lg: 4 }} style={{ alignItems: "start" }}>
          <TextInput label={coverage.symbol} placeholder={coverage.all} {...field("symbols")} />
          <TextInput
            label={coverage.timeframe}
            placeholder={coverage.all}
            {...field("timeframes")}
          />
          <TextInput label={coverage.exchange} placeholder={coverage.all} {...field("exchange")} />
          <TextInput type="datetime-local" label={coverage.start} {...field("start")} />
          <TextInput type="datetime-local" label={coverage.end} {...field("end")} />
          <NativeSelect
            label={coverage.against}
            data={[
              { value: "none", label: coverage.none },
              { value: "rest", label: coverage.rest },
            ]}
            {...field("against")}
          />
          {values.against === "rest" && (
            <TextInput
              type="number"
              min={1}
              label={coverage.sample}
              placeholder={coverage.all}
              {...field("sample")}
            />
          )}
        </SimpleGrid>
        <Group>
          <Button type="submit" size="xs" loading={verifying.isPending}>
            {coverage.verifyNow}
          </Button>
          <Checkbox
            label={coverage.mend}
            checked={values.repair}
            onChange={({ currentTarget: { checked } }) =>
              setTyped((old) => ({ ...old, repair: checked }))
            }
          />
        </Group>
        {errors.rest !== null && (
          <Failure error={errors.rest} retry={() => verifying.mutate(values)} />
        )}
      </Stack>
    </form>
  );
}

/** The verification while it goes on, then its report. */
function Report({ id }: { id: string }) {
  const { coverage } = useWords();
  return (
    <Answer query={useTask(id)} lines={2}>
      {(task) => (
        <Stack gap="xs" data-verify={task.status}>
          {task.completed_at === null ? <TaskRow task={task} /> : <Outcome task={task} />}
          {task.error !== null && <Text c="red">{task.error}</Text>}
          <Anchor component={Link} href={`/runs/${id}`} size="sm">
            {coverage.showRun}
          </Anchor>
        </Stack>
      )}
    </Answer>
  );
}
