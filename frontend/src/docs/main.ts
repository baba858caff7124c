import "swagger-ui-dist/swagger-ui.css";
import "./docs.css";
import SwaggerUI from "swagger-ui-dist/swagger-ui-es-bundle.js";
import { Problem, problemOf } from "../api/problem";

const DOCUMENT = "/openapi.json";
/** Where Mantine keeps what was chosen on the dashboard. */
const SCHEME = "mantine-color-scheme-value";

const dark = window.matchMedia("(prefers-color-scheme: dark)");

function showColours(): void {
  const chosen = window.localStorage.getItem(SCHEME);
  const isDark = chosen === "dark" || (chosen !== "light" && dark.matches);
  document.documentElement.classList.toggle("dark-mode", isDark);
}

function tell(text: string, link?: { href: string; text: string }): void {
  const told = document.createElement("p");
  told.role = "alert";
  told.append(text);
  if (link !== undefined) {
    const anchor = document.createElement("a");
    anchor.href = link.href;
    anchor.append(link.text);
    told.append(" ", anchor);
  }
  document.getElementById("reference")?.replaceChildren(told);
}

async function documentOfService(): Promise<Record<string, unknown>> {
  const answer = await fetch(DOCUMENT).catch(() => {
    throw Problem.unreachable();
  });
  if (!answer.ok) throw await problemOf(answer);
  return answer.json();
}

async function show(): Promise<void> {
  // The one server is this one, so there is none to choose.
  const { servers: _, ...spec } = await documentOfService();
  SwaggerUI({
    domNode: document.getElementById("reference"),
    spec,
    // Without it, the viewer asks a service of its maker whether the document is right.
    validatorUrl: null,
    // Groups first: all operations at once take seconds on a slow machine.
    docExpansion: "none",
    defaultModelsExpandDepth: 0,
    displayRequestDuration: true,
    filter: true,
    // The first theme in which numbers can be read by all.
    syntaxHighlight: { theme: "obsidian" },
  });
}

showColours();
dark.addEventListener("change", showColours);
window.addEventListener("storage", showColours);
show().catch((error: unknown) => {
  const status = error instanceof Problem ? error.status : undefined;
  if (status === 401) tell("Sign in first:", { href: "/", text: "open the dashboard" });
  else if (status === 0) tell("The service does not answer. Reload the page to try again.");
  else tell(error instanceof Error ? error.message : String(error));
});
