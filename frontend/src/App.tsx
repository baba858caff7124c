import { MantineProvider } from "@mantine/core";
import { Notifications } from "@mantine/notifications";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { lazy, Suspense } from "react";
import { Route, Switch } from "wouter";
import { Problem } from "./api/problem";
import { session } from "./api/session";
import { LiveProvider } from "./live/LiveProvider";
import { Overview } from "./pages/overview/Overview";
import { Loading } from "./parts/Loading";
import { LanguageProvider } from "./preferences";
import { NotFound } from "./shell/NotFound";
import { SessionGate, useSession } from "./shell/SessionGate";
import { Shell } from "./shell/Shell";
import { styleNonce, theme, variables } from "./theme";

const Market = lazy(() => import("./pages/market/Market"));
const Coverage = lazy(() => import("./pages/coverage/Coverage"));
const Collections = lazy(() => import("./pages/collections/Collections"));
const Inventory = lazy(() => import("./pages/inventory/Inventory"));
const Runs = lazy(() => import("./pages/runs/Runs"));
const Run = lazy(() => import("./pages/runs/Run"));
const Settings = lazy(() => import("./pages/settings/Settings"));

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
    <Suspense fallback={<Loading />}>
      <Switch>
        <Route path="/" component={Overview} />
        <Route path="/market" component={Market} />
        <Route path="/coverage" component={Coverage} />
        <Route path="/collections" component={Collections} />
        <Route path="/inventory" component={Inventory} />
        <Route path="/runs" component={Runs} />
        <Route path="/runs/:id" component={Run} />
        <Route path="/settings" component={Settings} />
        <Route component={NotFound} />
      </Switch>
    </Suspense>
  );
}
