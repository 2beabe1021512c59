// Builds the dashboard page. Its output is embedded in the collector's binary and served under a
// strict Content-Security-Policy, so nothing may be inlined into the HTML. The on-page overlay is a
// bundle of its own (vite.overlay.config.ts), because a shop page loads it and nothing else.
import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";
import solid from "vite-plugin-solid";

export default defineConfig({
  plugins: [
    solid({
      // Compiled templates go through one named Trusted Types policy; see src/dom.ts.
      solid: { moduleName: fileURLToPath(new URL("./src/dom.ts", import.meta.url)) },
    }),
  ],
  build: {
    target: ["chrome111", "firefox115", "safari16.4"],
    // The polyfill would be an inline script's worth of code for browsers below the target.
    modulePreload: false,
    assetsInlineLimit: 0,
    reportCompressedSize: true,
  },
});
