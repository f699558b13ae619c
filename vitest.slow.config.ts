import { defineConfig } from "vitest/config";
import fast from "./vitest.config.ts";

/** Tests that need nothing but Node, of whole gateways, kills and restores: kept out of `npm test`, which is run often. */
export default defineConfig({
  test: {
    ...fast.test,
    include: ["**/*.slow.test.ts"],
    exclude: ["**/node_modules/**", "**/dist/**"],
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
