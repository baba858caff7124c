import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";
import { imagesAsFiles } from "./images.ts";
import { licences } from "./licences.ts";

export default defineConfig({
  plugins: [react(), imagesAsFiles(), licences()],
  // The service puts the nonce of each answer in its place: penstock.api.dashboard.
  html: { cspNonce: "csp-nonce-of-this-answer" },
  build: {
    outDir: "../src/penstock/api/dashboard/built",
    emptyOutDir: true,
    rolldownOptions: { input: ["index.html", "docs.html"] },
    // A file in a data: URL is refused by our Content-Security-Policy.
    assetsInlineLimit: 0,
    // Browsers of 2024, which know light-dark() and take relative addresses for a WebSocket.
    target: ["chrome125", "firefox121", "safari17.5"],
    modulePreload: { polyfill: false },
    // A test looks at the packed size: tests/house/test_frontend.py.
    chunkSizeWarningLimit: 1_000,
  },
  server: { proxy: { "/api": { target: "http://127.0.0.1:8000", ws: true } } },
  test: { environment: "node" },
});
