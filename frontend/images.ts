import { createHash } from "node:crypto";
import type { Plugin } from "vite";

const EXTENSIONS: Record<string, string> = { "svg+xml": "svg", png: "png", jpeg: "jpg" };
const IN_URL = /url\((["']?)data:image\/([\w+]+)(;[^,]*)?,((?:\\.|(?!\1\)|\\)[\s\S])*)\1\)/g;

/** Makes files of the images that styles of others have in data: URLs, which our policy refuses. */
export function imagesAsFiles(): Plugin {
  return {
    name: "images-as-files",
    generateBundle(_options, bundle) {
      for (const output of Object.values(bundle)) {
        if (output.type !== "asset" || !output.fileName.endsWith(".css")) continue;
        output.source = String(output.source).replace(IN_URL, (_, _quote, type, how, text) => {
          const source = how?.endsWith(";base64")
            ? Buffer.from(text, "base64")
            : Buffer.from(decodeURIComponent(text.replaceAll(/\\(.)/g, "$1")));
          const hash = createHash("sha256").update(source).digest("hex").slice(0, 8);
          const fileName = `assets/image-${hash}.${EXTENSIONS[type]}`;
          this.emitFile({ type: "asset", fileName, source });
          return `url(/${fileName})`;
        });
      }
    },
  };
}
