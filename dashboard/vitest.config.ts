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
          testTimeout: 60_000,
          hookTimeout: 60_000,
          fileParallelism: false,
          // A deadline, not a promise about speed: the machine may be busy.
          expect: { poll: { timeout: 15_000 } },
        },
      },
    ],
  },
});
