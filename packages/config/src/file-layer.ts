import { readFile } from "node:fs/promises";
import { catalogue, sections } from "./catalogue.ts";
import type { ConfigFault, Origin } from "./config.ts";
import { correct } from "./fault.ts";
import { readJson } from "./json-text.ts";
import type { Entry, Layer } from "./layer.ts";
import { unknownSetting } from "./unknown-setting.ts";

/** The file's settings. `absent`: there is no such file. `unreadable`: nothing is known of its settings, the tier included. */
export type FileReading =
  | ({ readonly kind: "read" } & Layer)
  | { readonly kind: "absent" }
  | { readonly kind: "unreadable"; readonly fault: ConfigFault };

/** The most a configuration file may hold; anything larger is some other file. */
const MOST_BYTES = 1_048_576;

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function flatten(prefix: string, object: Readonly<Record<string, unknown>>, origin: Origin): Layer {
  const entries: Entry[] = [];
  const faults: ConfigFault[] = [];
  for (const [name, value] of Object.entries(object)) {
    const path = prefix === "" ? name : `${prefix}.${name}`;
    if (path === "$schema") continue;
    if (name.includes(".") || (!catalogue.has(path) && !sections.has(path))) {
      faults.push(unknownSetting(path, origin));
    } else if (sections.has(path) && isObject(value)) {
      const inner = flatten(path, value, origin);
      entries.push(...inner.entries);
      faults.push(...inner.faults);
    } else if (catalogue.has(path)) {
      entries.push({ path, value, origin });
    } else {
      faults.push({ path, origin, message: "must be an object in braces", remedy: correct(path, origin) });
    }
  }
  return { entries, faults };
}

/** Reads `mosaic.config.json`. Never throws for what the file is or holds. */
export async function readFileLayer(file: string): Promise<FileReading> {
  const origin: Origin = { kind: "file", file };
  const unreadable = (message: string, remedy: string): FileReading => ({
    kind: "unreadable",
    fault: { path: file, origin, message, remedy },
  });
  let bytes: Buffer;
  try {
    bytes = await readFile(file);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown";
    if (code === "ENOENT") return { kind: "absent" };
    return unreadable(`can't be read (${code})`, "Make it a file that the gateway's user may read.");
  }
  if (bytes.length > MOST_BYTES) return unreadable("is larger than 1 MiB", "Name the configuration file.");
  const reading = readJson(bytes.toString("utf8").replace(/^\uFEFF/, ""));
  if (reading.kind === "malformed") {
    const where = `line ${reading.line}, column ${reading.column}`;
    return unreadable(`is not JSON at ${where}: ${reading.message}`, "Correct it there.");
  }
  if (!isObject(reading.value)) return unreadable("must hold one object in braces", 'Start from {"tier": "local"}.');
  return { kind: "read", ...flatten("", reading.value, origin) };
}
