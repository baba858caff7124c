import { expect, it } from "vitest";
import imported from "./styles?raw";

const sources = import.meta.glob<string>("./**/*.tsx", {
  query: "?raw",
  import: "default",
  eager: true,
});
const styles = Object.keys(import.meta.glob("../node_modules/@mantine/core/styles/*.css"));

it("has the styles of every component in use", () => {
  const used = Object.values(sources).flatMap((text) =>
    [...text.matchAll(/import \{([^}]*)\} from "@mantine\/core"/g)].flatMap(([, names]) =>
      (names ?? "").split(",").map((name) => name.trim()),
    ),
  );
  const styled = used.filter((name) => styles.some((path) => path.endsWith(`/${name}.css`)));
  expect(styled.length).toBeGreaterThan(10);
  expect(styled.filter((name) => !imported.includes(`/${name}.css"`))).toEqual([]);
});
