import { z } from "zod";
import { embedded, queueKind, tier } from "./settings.ts";
import { fileSchemas, type Variant } from "./tier-schemas.ts";

/** One setting: the smallest thing that can be given, and what the guide says of it. */
export interface Setting {
  /** As in the file, with dots: `http.port`. */
  readonly path: string;
  /** The environment variable that sets it. */
  readonly variable: string;
  readonly description: string;
  /** Absent: nothing, or something that depends on the machine. */
  readonly default?: string | number | boolean;
  /** How a variable's text is read. */
  readonly kind: "text" | "number" | "boolean";
  /** The variants that have this setting. */
  readonly variants: ReadonlySet<Variant>;
  readonly schema: z.ZodType;
}

/** A URL can carry a password, so these two go by the names and the `_FILE` twins of secrets. */
const SECRET_BEARING: Readonly<Record<string, string>> = { "database.url": "DATABASE_URL", "queue.url": "VALKEY_URL" };

/** Settings whose schema in the file differs by tier; a value is judged by the whole. */
const WHOLE: Readonly<Record<string, z.ZodType>> = { tier, embedded, "queue.kind": queueKind };

/** Defaults that a schema of one tier can't hold. */
const FALLBACK: Readonly<Record<string, string | boolean>> = { tier: "local", embedded: false };

const collected = new Map<string, Setting & { readonly variants: Set<Variant> }>();
const sectionNames = new Set<string>();

function variableOf(path: string): string {
  const words = path.replaceAll(".", "_").replaceAll(/[A-Z]/g, (letter) => `_${letter}`);
  return SECRET_BEARING[path] ?? `MOSAIC_${words.toUpperCase()}`;
}

function kindOf(schema: z.ZodType): Setting["kind"] {
  if (schema instanceof z.ZodNumber) return "number";
  return schema instanceof z.ZodBoolean ? "boolean" : "text";
}

function isPlain(value: unknown): value is string | number | boolean {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean";
}

function collect(path: string, schema: unknown, variant: Variant, fallback: unknown): void {
  if (schema instanceof z.ZodDefault) return collect(path, schema.unwrap(), variant, schema.def.defaultValue);
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodExactOptional) {
    return collect(path, schema.unwrap(), variant, fallback);
  }
  if (schema instanceof z.ZodObject) {
    if (path !== "") sectionNames.add(path);
    for (const [key, member] of Object.entries(schema.shape)) {
      if (key !== "$schema") collect(path === "" ? key : `${path}.${key}`, member, variant, undefined);
    }
    return;
  }
  if (schema instanceof z.ZodUnion) {
    for (const option of schema.options) collect(path, option, variant, fallback);
    return;
  }
  if (!(schema instanceof z.ZodType)) throw new TypeError(`${path} has no schema`);
  const known = collected.get(path);
  if (known !== undefined) {
    known.variants.add(variant);
    return;
  }
  const whole = WHOLE[path] ?? schema;
  const value = FALLBACK[path] ?? fallback;
  collected.set(path, {
    path,
    variable: variableOf(path),
    description: schema.description ?? "",
    ...(isPlain(value) ? { default: value } : {}),
    kind: kindOf(whole),
    variants: new Set([variant]),
    schema: whole,
  });
}

for (const variant of ["federated", "embedded", "standalone", "local"] as const) {
  collect("", fileSchemas[variant], variant, undefined);
}

/** Every setting there is, by path. */
export const catalogue: ReadonlyMap<string, Setting> = collected;

/** Every path that holds settings rather than a value: `http`, `http.tls`. */
export const sections: ReadonlySet<string> = sectionNames;
