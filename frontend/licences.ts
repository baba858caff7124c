import { readdirSync, readFileSync } from "node:fs";
import type { Plugin } from "vite";

const PACKAGE = /^.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/;

/** Keeps the licences of the packages whose code is built in beside it, as they ask for. */
export function licences(): Plugin {
  return {
    name: "licences",
    generateBundle(_options, bundle) {
      const folders = new Map<string, string>();
      for (const output of Object.values(bundle)) {
        if (output.type !== "chunk") continue;
        for (const id of output.moduleIds) {
          const found = PACKAGE.exec(id.replace("\0", ""));
          if (found?.[1] !== undefined) folders.set(found[1], found[0]);
        }
      }
      const texts = [...folders].sort().map(([name, folder]) => textOf(name, folder));
      this.emitFile({ type: "asset", fileName: "licences.txt", source: texts.join("\n") });
    },
  };
}

function textOf(name: string, folder: string): string {
  const { version, license } = JSON.parse(readFileSync(`${folder}/package.json`, "utf-8"));
  const texts = readdirSync(folder)
    // That of a bundle names the packages that its maker has built in.
    .filter((path) => /^licen[cs]e|^notice|es-bundle\.js\.licen[cs]e/i.test(path))
    .sort()
    .map((path) => readFileSync(`${folder}/${path}`, "utf-8").trim());
  return `${"=".repeat(78)}\n${name} ${version}: ${license}\n\n${texts.join("\n\n")}\n`;
}
