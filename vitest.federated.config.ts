import { defineConfig } from "vitest/config";

/** Tests against a real PostgreSQL with pgvector, Valkey and step-ca. */
export default defineConfig({
  test: {
    include: ["tests/federated/**/*.test.ts"],
    globalSetup: ["tests/federated/services.ts"],
    env: { FEDERATED_INTEGRATION: "1" },
    pool: "forks",
    // The services are shared, so one file at a time.
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
