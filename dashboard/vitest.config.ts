// Two sets of tests: `unit` needs nothing but Node; `browser` drives Chromium against the built files.
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    projects: [
      { test: { name: "unit", include: ["src/**/*.test.ts"], environment: "node" } },
      {
        test: {
          name: "browser",
          include: ["test/**/*.test.ts"],
          environment: "node",
          // Deadlines, not promises about speed: the machine may be busy.
          testTimeout: 180_000,
          hookTimeout: 120_000,
          fileParallelism: false,
          expect: { poll: { timeout: 60_000 } },
        },
      },
    ],
  },
});
