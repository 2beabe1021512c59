// Starts the dashboard: styles, the chosen theme, then the page.

import { render } from "solid-js/web";
import { App } from "./app";
import { applyTheme, storedTheme } from "./header/theme";
import "./style/tokens.css";
import "./style/base.css";
import "./style/layout.css";

applyTheme(storedTheme());
const root = document.getElementById("app");
if (root) render(() => <App />, root);
