import { defineConfig } from "drizzle-kit";

/**
 * Makes the next migration from the schema: `npm run -w packages/storage migration:generate -- --name what-it-does`.
 * One SQL set serves both engines. A committed migration is never edited: databases out there have run it as it was.
 */
export default defineConfig({
  dialect: "postgresql",
  schema: "./src/schema/index.ts",
  out: "./src/migrations",
});
