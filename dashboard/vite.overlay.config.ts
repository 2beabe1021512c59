// Builds the on-page overlay as one ES module of a fixed name, beside the dashboard's files.
import { defineConfig } from "vite";

export default defineConfig({
  publicDir: false,
  build: {
    target: ["chrome111", "firefox115", "safari16.4"],
    emptyOutDir: false,
    lib: { entry: "src/overlay/index.ts", formats: ["es"], fileName: () => "overlay.js" },
    // Vite leaves white space in ES libraries for tree shaking; this one is loaded as it is.
    minify: "oxc",
    rolldownOptions: { output: { minify: true } },
  },
});
