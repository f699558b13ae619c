import { z } from "zod";
import { catalogue } from "./catalogue.ts";
import type { ConfigFault } from "./config.ts";
import { correct } from "./fault.ts";
import { judgeDatabaseUrl, judgeQueueUrl, type JudgedUrl } from "./judge-url.ts";
import type { Entry, Layer } from "./layer.ts";
import { nearestName } from "./nearest-name.ts";
import type { GivenText } from "./secret-variables.ts";

/** A layer whose values are what their settings ask for, and the passwords its URLs carried. */
export interface JudgedLayer extends Layer {
  readonly databasePassword?: GivenText;
  readonly queuePassword?: GivenText;
}

function judgeValue(entry: Entry): Entry | ConfigFault {
  const { path, origin } = entry;
  const setting = catalogue.get(path);
  if (setting === undefined) throw new TypeError(`${path} is no setting`);
  const result = setting.schema.safeParse(entry.value);
  if (result.success) return { ...entry, value: result.data };
  const guess =
    setting.schema instanceof z.ZodEnum && typeof entry.value === "string"
      ? nearestName(entry.value, setting.schema.options.map(String))
      : undefined;
  return {
    path,
    origin,
    message: result.error.issues[0]?.message ?? "is not valid",
    remedy: `${guess === undefined ? "" : `Did you mean "${guess}"? `}${correct(path, origin)}`,
  };
}

/** Settings of one source where one is a part of the other: `http.tls` as a word, and `http.tls.keyFile`. */
function contradictions(entries: readonly Entry[]): ConfigFault[] {
  return entries
    .filter((entry) => entries.some((other) => other.path.startsWith(`${entry.path}.`)))
    .map(({ path, origin }) => ({
      path,
      origin,
      message: `is given as a word, and in parts as ${path}.*`,
      remedy: "Give one of the two.",
    }));
}

/** Holds every value against its setting's schema, and takes URLs apart. A URL's own parts are judged like any other. */
export function judgeLayer(layer: Layer): JudgedLayer {
  const faults: ConfigFault[] = [...layer.faults, ...contradictions(layer.entries)];
  const entries: Entry[] = [];
  let databasePassword: GivenText | undefined;
  let queuePassword: GivenText | undefined;
  const judge = (entry: Entry): void => {
    const judged = judgeValue(entry);
    if ("message" in judged) faults.push(judged);
    else entries.push(judged);
  };
  const take = (url: JudgedUrl): GivenText | undefined => {
    faults.push(...url.faults);
    for (const entry of url.entries) judge(entry);
    return url.password;
  };
  for (const entry of layer.entries) {
    const { path, value } = entry;
    if (path === "database.url" && typeof value === "string") {
      databasePassword = take(judgeDatabaseUrl(entry, value, layer.entries));
    } else if (path === "queue.url" && typeof value === "string") {
      queuePassword = take(judgeQueueUrl(entry, value));
    } else {
      judge(entry);
    }
  }
  return {
    entries,
    faults,
    ...(databasePassword === undefined ? {} : { databasePassword }),
    ...(queuePassword === undefined ? {} : { queuePassword }),
  };
}

/** One value a setting, the last layer's. A word replaces the parts an earlier layer gave, and parts replace a word. */
export function mergeLayers(layers: readonly Layer[]): Map<string, Entry> {
  const merged = new Map<string, Entry>();
  for (const entry of layers.flatMap((layer) => layer.entries)) {
    for (const path of merged.keys()) {
      if (path.startsWith(`${entry.path}.`) || entry.path.startsWith(`${path}.`)) merged.delete(path);
    }
    merged.set(entry.path, entry);
  }
  return merged;
}
