import { Alert, Button, Code, Group, Text, Title } from "@mantine/core";
import { IconAlertTriangle, IconCircleCheck, IconInfoCircle } from "@tabler/icons-react";
import { useMutation } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Link } from "wouter";
import { body, client } from "../../api/client";
import { useAlerts } from "../../live/lists";
import { useTellFailure } from "../../parts/Failure";
import { useFormat, useWords } from "../../preferences";
import { type Health, healthOf, type Remedy, remedyOf } from "./health";
import type { Summary } from "./Overview";

/** How the installation is, in one sentence, with what can be done about it. */
export function HealthLine({ summary }: { summary: Summary }) {
  const alerts = useAlerts().data ?? summary.alerts;
  const health = healthOf(summary, alerts);
  switch (health.kind) {
    case "no-worker":
      return <NoWorker />;
    case "empty":
      return <Empty />;
    case "alerts":
      return <Firing health={health} />;
    case "paused":
      return <Paused health={health} now={summary.now} />;
    case "incomplete":
      return <Incomplete health={health} />;
    default:
      return <Healthy total={health.total} />;
  }
}

type LineProps = { colour: string; icon: ReactNode; sentence: string; children?: ReactNode };

function Line({ colour, icon, sentence, children }: LineProps) {
  return (
    <Alert color={colour} icon={icon} variant="light" data-health={colour}>
      <Group justify="space-between" gap="sm">
        <Title order={1} size="h2">
          {sentence}
        </Title>
        {children}
      </Group>
    </Alert>
  );
}

function Healthy({ total }: { total: number }) {
  const { overview } = useWords();
  const sentence = total === 0 ? overview.onlyInventory : overview.healthy(total);
  return <Line colour="teal" icon={<IconCircleCheck aria-hidden />} sentence={sentence} />;
}

function NoWorker() {
  const { overview } = useWords();
  return (
    <Line colour="red" icon={<IconAlertTriangle aria-hidden />} sentence={overview.noWorker}>
      <Text size="sm">
        {overview.noWorkerText} <Code>penstock worker</Code>
      </Text>
    </Line>
  );
}

/** Start a collection now. */
function useCollecting() {
  const tellFailure = useTellFailure();
  return useMutation({
    mutationFn: async (what: { exchange: string; symbols: string[]; timeframes?: string[] }) =>
      body(
        await client.POST("/api/v1/data-collector/start", {
          body: { ...what, recheck: false, wait: false },
        }),
      ),
    onError: tellFailure,
  });
}

function Empty() {
  const { overview } = useWords();
  const collecting = useCollecting();
  return (
    <Line colour="blue" icon={<IconInfoCircle aria-hidden />} sentence={overview.empty}>
      <Group gap="xs">
        <Button
          size="xs"
          loading={collecting.isPending}
          onClick={() => collecting.mutate({ exchange: "binance", symbols: ["BTC/USDT"] })}
        >
          {overview.collectFirst}
        </Button>
        <Button size="xs" variant="default" component={Link} href="/inventory?add=account">
          {overview.addAccount}
        </Button>
      </Group>
    </Line>
  );
}

function Firing({ health }: { health: Extract<Health, { kind: "alerts" }> }) {
  const { overview } = useWords();
  const remedy = remedyOf(health.first);
  const { rule, subject, message } = health.first;
  const sentence = rule === "sync_held" ? overview.syncHeld(subject) : `${message}.`;
  const more = health.count > 1 ? ` ${overview.alerts(health.count)}` : "";
  return (
    <Line colour="red" icon={<IconAlertTriangle aria-hidden />} sentence={`${sentence}${more}`}>
      {remedy !== null && <RemedyButton remedy={remedy} />}
    </Line>
  );
}

function RemedyButton({ remedy }: { remedy: Remedy }) {
  const { overview } = useWords();
  const collecting = useCollecting();
  const looks = { size: "xs", color: "red", variant: "light" } as const;
  if (remedy.kind === "show") {
    return (
      <Button {...looks} component={Link} href={remedy.path}>
        {overview.show[remedy.text]}
      </Button>
    );
  }
  const { exchange, symbol, timeframe } = remedy;
  return (
    <Button
      {...looks}
      loading={collecting.isPending}
      onClick={() => collecting.mutate({ exchange, symbols: [symbol], timeframes: [timeframe] })}
    >
      {overview.collectNow}
    </Button>
  );
}

type PausedProps = { health: Extract<Health, { kind: "paused" }>; now: string };

function Paused({ health, now }: PausedProps) {
  const { overview } = useWords();
  const format = useFormat();
  const until = new Date(Date.parse(now) + health.seconds * 1000).toISOString();
  const sentence = overview.paused(health.provider, format.time(until));
  return <Line colour="yellow" icon={<IconInfoCircle aria-hidden />} sentence={sentence} />;
}

function Incomplete({ health }: { health: Extract<Health, { kind: "incomplete" }> }) {
  const { overview } = useWords();
  return (
    <Line
      colour="yellow"
      icon={<IconInfoCircle aria-hidden />}
      sentence={overview.incomplete(health.bad, health.total)}
    >
      <Button size="xs" variant="default" component={Link} href="/coverage?only_gaps=1">
        {overview.show.gaps}
      </Button>
    </Line>
  );
}
