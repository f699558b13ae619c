import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { catalogue, configJsonSchema, SECRET_VARIABLES } from "../src/index.ts";
import { problem } from "../src/problems.ts";
import { fileSchemas } from "../src/tier-schemas.ts";
import { AUTH_SECRET, load } from "./workplace.ts";

const docs = join(import.meta.dirname, "../../../docs");
const guide = await readFile(join(docs, "guides/configuration.md"), "utf8");
const REMEDY = "run: npx tsx scripts/generate-config-schema.ts";

/** The cells of the guide's table under a heading, without back-ticks. */
function tableUnder(heading: string): string[][] {
  const section = guide.split(/^## /m).find((text) => text.startsWith(`${heading}\n`)) ?? "";
  return section
    .split("\n")
    .filter((line) => line.startsWith("| `"))
    .map((line) =>
      line
        .slice(1, -1)
        .split(" | ")
        .map((cell) => cell.trim().replaceAll(/^`|`$/g, "")),
    );
}

test("the published JSON Schema is the code's", async () => {
  const committed: unknown = JSON.parse(await readFile(join(docs, "mosaic.config.schema.json"), "utf8"));
  expect(committed, REMEDY).toEqual(configJsonSchema());
});

test("the guide has every setting and no other, with its variable, default and description", () => {
  const rows = tableUnder("Settings").map(([path, variable, fallback, , description]) => [
    path,
    variable,
    fallback,
    description,
  ]);
  const settings = [...catalogue.values()].map((setting) => [
    setting.path,
    setting.variable,
    String(setting.default ?? ""),
    setting.description,
  ]);
  expect(rows, REMEDY).toEqual(settings);
});

test("the guide has every secret variable and no other", () => {
  const rows = tableUnder("Secrets").map(([variable, , description]) => [variable, description]);
  expect(rows, REMEDY).toEqual(SECRET_VARIABLES.map(({ variable, description }) => [variable, description]));
});

test("the guide has every problem code and no other", () => {
  const codes = tableUnder("Errors").map(([code]) => code);
  expect(codes).toEqual(Object.keys(problem.table));
});

test("fewer than forty settings, secrets included, and each is described", () => {
  const secrets = SECRET_VARIABLES.filter(({ target }) => !target.includes("."));
  // PostgreSQL in one line says what host, port, name and user say one by one: another way to set them, and nothing more to set.
  const settings = [...catalogue.keys()].filter((path) => path !== "database.url");
  expect(settings.length + secrets.length).toBeLessThan(40);
  for (const { path, description } of catalogue.values()) expect(description, path).toMatch(/^[A-Z`].{10,}\.$/);
});

test("no two settings go by one variable", () => {
  const variables = [...catalogue.values()].map(({ variable }) => variable);
  expect(new Set(variables).size).toBe(variables.length);
});

test("each example of the guide loads, and fits the schema of its tier", async () => {
  const examples = [...guide.matchAll(/```json\n([\s\S]*?)```/g)].map(([, text]) => text ?? "");
  expect(examples).toHaveLength(4);
  const variants = ["local", "standalone", "federated", "embedded"] as const;
  for (const [index, file] of examples.entries()) {
    await expect(load({ file, environment: { BETTER_AUTH_SECRET: AUTH_SECRET } })).resolves.toMatchObject({
      warnings: [],
    });
    expect(fileSchemas[variants[index] ?? "local"].safeParse(JSON.parse(file)).error).toBeUndefined();
  }
});
