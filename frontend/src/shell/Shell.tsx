import {
  ActionIcon,
  Anchor,
  AppShell,
  Burger,
  Group,
  NavLink,
  Text,
  useComputedColorScheme,
  useMantineColorScheme,
} from "@mantine/core";
import {
  IconCards,
  IconChartCandle,
  IconGridDots,
  IconHome,
  IconLogout,
  IconMoon,
  IconRefresh,
  IconRun,
  IconSettings,
  IconSun,
} from "@tabler/icons-react";
import { type ReactNode, useEffect, useState } from "react";
import { Link, useLocation } from "wouter";
import { client } from "../api/client";
import { useAlerts } from "../live/lists";
import { fetchAhead } from "../pages/code";
import { Boundary } from "../parts/Boundary";
import { useWords } from "../preferences";
import icon from "./icon.svg";
import { LiveBadge } from "./LiveBadge";
import { useSession } from "./SessionGate";
import classes from "./shell.module.css";

const PAGES = [
  { name: "overview", path: "/", Icon: IconHome },
  { name: "market", path: "/market", Icon: IconChartCandle },
  { name: "coverage", path: "/coverage", Icon: IconGridDots },
  { name: "collections", path: "/collections", Icon: IconRefresh },
  { name: "runs", path: "/runs", Icon: IconRun },
  { name: "inventory", path: "/inventory", Icon: IconCards },
  { name: "settings", path: "/settings", Icon: IconSettings },
] as const;

/** The frame around every page. */
export function Shell({ children }: { children: ReactNode }) {
  const [opened, setOpened] = useState(false);
  const [location] = useLocation();
  const { shell } = useWords();
  useTitle(location);
  return (
    <AppShell
      header={{ height: 52 }}
      navbar={{ width: 190, breakpoint: "sm", collapsed: { mobile: !opened } }}
      padding="md"
    >
      <AppShell.Header>
        <Anchor href="#content" className={classes.skip}>
          {shell.skip}
        </Anchor>
        <Header opened={opened} toggle={() => setOpened(!opened)} />
      </AppShell.Header>
      <AppShell.Navbar p="xs" aria-label={shell.navigation}>
        <Navigation location={location} onLeave={() => setOpened(false)} />
      </AppShell.Navbar>
      <AppShell.Main id="content" tabIndex={-1} className={classes.main}>
        <Boundary key={location}>{children}</Boundary>
      </AppShell.Main>
    </AppShell>
  );
}

function Header({ opened, toggle }: { opened: boolean; toggle: () => void }) {
  const { shell } = useWords();
  const { signed_in } = useSession();
  return (
    <Group h="100%" px="md" justify="space-between" wrap="nowrap">
      <Group gap="xs" wrap="nowrap">
        <Burger
          opened={opened}
          onClick={toggle}
          hiddenFrom="sm"
          size="sm"
          aria-label={shell.menu}
          aria-expanded={opened}
        />
        <Anchor component={Link} href="/" underline="never" c="inherit" className={classes.brand}>
          <img src={icon} width={26} height={26} alt="" />
          <Text fw={650}>Penstock</Text>
        </Anchor>
      </Group>
      <Group gap="xs" wrap="nowrap">
        <LiveBadge />
        <SchemeButton />
        {signed_in && (
          <ActionIcon variant="subtle" color="gray" aria-label={shell.signOut} onClick={signOut}>
            <IconLogout size={18} />
          </ActionIcon>
        )}
      </Group>
    </Group>
  );
}

function SchemeButton() {
  const { shell } = useWords();
  const { setColorScheme } = useMantineColorScheme();
  const other = useComputedColorScheme("light") === "light" ? "dark" : "light";
  return (
    <ActionIcon
      variant="subtle"
      color="gray"
      aria-label={shell[other]}
      onClick={() => setColorScheme(other)}
    >
      {other === "dark" ? <IconMoon size={18} /> : <IconSun size={18} />}
    </ActionIcon>
  );
}

type NavigationProps = { location: string; onLeave: () => void };

function Navigation({ location, onLeave }: NavigationProps) {
  const { pages } = useWords();
  return PAGES.map(({ name, path, Icon }) => {
    const here = path === "/" ? location === path : location.startsWith(path);
    return (
      <NavLink
        key={name}
        component={Link}
        href={path}
        onClick={onLeave}
        onPointerEnter={() => fetchAhead(path)}
        onFocus={() => fetchAhead(path)}
        label={pages[name]}
        leftSection={<Icon size={18} aria-hidden />}
        active={here}
        aria-current={here ? "page" : undefined}
        className={classes.link}
      />
    );
  });
}

async function signOut(): Promise<void> {
  await client.DELETE("/api/v1/session");
  window.location.assign("/");
}

/** The name of the page, after the number of alerts that fire. */
function useTitle(location: string): void {
  const { pages } = useWords();
  const firing = useAlerts().data?.length ?? 0;
  const page = PAGES.find(({ path }) => path !== "/" && location.startsWith(path)) ?? PAGES[0];
  const name = `${pages[page.name]} · Penstock`;
  useEffect(() => {
    document.title = firing > 0 ? `(${firing}) ${name}` : name;
  }, [firing, name]);
}
