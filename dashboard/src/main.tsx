// Starts the dashboard: styles, the chosen theme, then the page.

// Before the views, whose own styles come later and so win.
import "./style/tokens.css";
import "./style/base.css";
import "./style/layout.css";
import { render } from "solid-js/web";
import { App } from "./app";
import { applyTheme, storedTheme } from "./header/theme";

applyTheme(storedTheme());
// For a screen on the wall: larger type, nothing to operate.
if (new URLSearchParams(location.search).get("tv") === "1") document.documentElement.dataset["tv"] = "1";
const root = document.getElementById("app");
if (root) render(() => <App />, root);
