import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["apps/*/test/**/*.test.ts", "packages/*/test/**/*.test.ts", "tests/**/*.test.ts"],
    exclude: [
      "**/node_modules/**",
      "**/dist/**",
      "tests/build/**",
      "tests/e2e/**",
      "tests/kep/**",
      "tests/federated/**",
      // Whole gateways, kills and restores: npm run test:slow.
      "**/*.slow.test.ts",
    ],
    // A file is a process of its own: an embedded PostgreSQL or a listener that is left open dies with it.
    pool: "forks",
    maxWorkers: Math.max(2, availableParallelism() - 1),
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
