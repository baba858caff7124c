import { type CSSVariablesResolver, createTheme, type MantineColorsTuple } from "@mantine/core";
import { setNonce } from "get-nonce";

const water: MantineColorsTuple = [
  "#e3f8fc",
  "#c5ecf4",
  "#95dbe9",
  "#60c8dd",
  "#38b6cf",
  "#1a9fba",
  "#0b8aa4",
  "#0b7285",
  "#095c6c",
  "#064551",
];

export const theme = createTheme({
  primaryColor: "water",
  colors: { water },
  // The lighter ones are too pale behind the white text of buttons.
  primaryShade: 7,
  autoContrast: true,
  defaultRadius: "md",
  cursorType: "pointer",
  fontFamily:
    'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", sans-serif',
  fontFamilyMonospace:
    'ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace',
  headings: {
    fontWeight: "600",
    sizes: { h1: { fontSize: "1.4rem" }, h2: { fontSize: "1.05rem" } },
  },
});

const TONES = ["water", "teal", "red", "orange", "yellow", "blue", "gray"] as const;

/** Some of Mantine's texts are too pale to be read by all: WCAG AA wants a contrast of 4.5. */
export const variables: CSSVariablesResolver = ({ colors }) => ({
  variables: {},
  light: {
    "--mantine-color-dimmed": colors.gray[7],
    ...Object.fromEntries(
      TONES.map((tone) => [
        `--mantine-color-${tone}-light-color`,
        `color-mix(in srgb, ${colors[tone]?.[9]} 75%, black)`,
      ]),
    ),
  },
  dark: { "--mantine-color-dimmed": colors.gray[5] },
});

/** The nonce of this page, which styles need to be let in: the build puts it into the shell. */
export function styleNonce(): string {
  return document.querySelector<HTMLMetaElement>('meta[property="csp-nonce"]')?.nonce ?? "";
}

/** Let in the styles of what Mantine is made of, too. */
export function installNonce(): void {
  setNonce(styleNonce());
}
