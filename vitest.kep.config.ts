import { defineConfig } from "vitest/config";

/** Every person of a real project's data, read by another gateway: `KEP_DATA` names the folder. */
export default defineConfig({
  test: {
    include: ["tests/kep/**/*.test.ts"],
    // migrate-tier moves the data to PostgreSQL.
    globalSetup: ["tests/federated/services.ts"],
    pool: "forks",
    testTimeout: 30_000,
    hookTimeout: 180_000,
    bail: 5,
  },
});
