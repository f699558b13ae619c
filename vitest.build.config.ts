import { defineConfig } from "vitest/config";

/** Tests of the package that `npm run build` makes; they install it, so they need the npm registry. */
export default defineConfig({
  test: {
    include: ["tests/build/**/*.test.ts"],
    pool: "forks",
    testTimeout: 180_000,
    hookTimeout: 300_000,
  },
});
