import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { catalogue, configJsonSchema, SECRET_VARIABLES, type Variant } from "@mosaicstack/config";

const docs = join(import.meta.dirname, "..", "docs");
const schemaFile = join(docs, "mosaic.config.schema.json");
const guideFile = join(docs, "guides", "configuration.md");

function tiers(variants: ReadonlySet<Variant>): string {
  if (variants.size === 4) return "all";
  const names: string[] = [];
  if (variants.has("local")) names.push("local");
  if (variants.has("standalone")) names.push("standalone");
  if (variants.has("federated")) names.push(variants.has("embedded") ? "federated" : "federated (not embedded)");
  else if (variants.has("embedded")) names.push("federated (embedded)");
  return names.join(", ");
}

function table(heading: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(heading), line(heading.map(() => "---")), ...rows.map((row) => line(row))].join("\n");
}

function settingsTable(): string {
  const rows = [...catalogue.values()].map((setting) => [
    `\`${setting.path}\``,
    `\`${setting.variable}\``,
    setting.default === undefined ? "" : `\`${setting.default}\``,
    tiers(setting.variants),
    setting.description,
  ]);
  return table(["Setting", "Variable", "Default", "Tier", "What it is"], rows);
}

function secretsTable(): string {
  const rows = SECRET_VARIABLES.map((secret) => [
    `\`${secret.variable}\``,
    tiers(new Set(secret.variants)),
    secret.description,
  ]);
  return table(["Variable", "Tier", "What it is"], rows);
}

/** Replaces what stands between two marks of the guide. */
function between(text: string, name: string, content: string): string {
  const [open, close] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const [start, end] = [text.indexOf(open), text.indexOf(close)];
  if (start === -1 || end === -1) throw new Error(`${guideFile} has no ${open} … ${close}`);
  return `${text.slice(0, start + open.length)}\n${content}\n${text.slice(end)}`;
}

writeFileSync(schemaFile, JSON.stringify(configJsonSchema(), null, 2));
execFileSync(process.execPath, [join(import.meta.dirname, "..", "node_modules", "oxfmt", "bin", "oxfmt"), schemaFile]);
const guide = readFileSync(guideFile, "utf8");
writeFileSync(guideFile, between(between(guide, "settings", settingsTable()), "secrets", secretsTable()));
console.log("wrote docs/mosaic.config.schema.json and the tables of docs/guides/configuration.md");
