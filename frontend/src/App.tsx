import { MantineProvider } from "@mantine/core";
import { Notifications } from "@mantine/notifications";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { Route, Switch } from "wouter";
import { Problem } from "./api/problem";
import { session } from "./api/session";
import { LiveProvider } from "./live/LiveProvider";
import { PATHS } from "./pages/code";
import { Overview } from "./pages/overview/Overview";
import { Page } from "./pages/Page";
import { LanguageProvider } from "./preferences";
import { NotFound } from "./shell/NotFound";
import { SessionGate, useSession } from "./shell/SessionGate";
import { Shell } from "./shell/Shell";
import { styleNonce, theme, variables } from "./theme";

const MOST_TRIES = 3;

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 10_000,
      refetchOnWindowFocus: false,
      retry: (tries, error) => error instanceof Problem && error.passes && tries < MOST_TRIES,
    },
  },
});

export function App() {
  return (
    <MantineProvider
      theme={theme}
      cssVariablesResolver={variables}
      defaultColorScheme="auto"
      getStyleNonce={styleNonce}
    >
      <QueryClientProvider client={queries}>
        <LanguageProvider>
          <Notifications position="bottom-right" />
          <SessionGate>
            <Inside />
          </SessionGate>
        </LanguageProvider>
      </QueryClientProvider>
    </MantineProvider>
  );
}

const askAgain = () => session.lost();

function Inside() {
  const { ended } = useSession();
  return (
    <LiveProvider paused={ended} onLost={askAgain}>
      <Shell>
        <Pages />
      </Shell>
    </LiveProvider>
  );
}

function Pages() {
  return (
    <Switch>
      <Route path="/" component={Overview} />
      {PATHS.map((path) => (
        <Route key={path} path={path}>
          <Page path={path} />
        </Route>
      ))}
      <Route component={NotFound} />
    </Switch>
  );
}
