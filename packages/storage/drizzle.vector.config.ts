import { defineConfig } from "drizzle-kit";

/**
 * Makes the next migration of the tables that need pgvector, in packages/storage:
 * `npx drizzle-kit generate --config drizzle.vector.config.ts --name what-it-does`.
 * Applied only where the extension is, and after the ordinary set.
 */
export default defineConfig({
  dialect: "postgresql",
  schema: "./src/schema/embeddings.ts",
  out: "./src/vector-migrations",
});
