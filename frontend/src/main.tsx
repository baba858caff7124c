// Ahead of our own styles, which change those of the components.
import "./styles";
import { createRoot } from "react-dom/client";
import { App } from "./App";
import { fetchAhead } from "./pages/code";
import { installNonce } from "./theme";

installNonce();
// While the service is asked who this is.
fetchAhead(window.location.pathname);

// A tab that outlived an update asks for files that are gone.
window.addEventListener("vite:preloadError", () => window.location.reload());

const root = document.getElementById("root");
if (root !== null) createRoot(root).render(<App />);
