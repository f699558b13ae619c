import { catalogue, type Setting } from "./catalogue.ts";
import type { ConfigFault } from "./config.ts";
import type { Entry, Environment, Layer } from "./layer.ts";
import { nearestName } from "./nearest-name.ts";
import { SECRET_VARIABLES } from "./secret-variables.ts";
import { unknownSetting } from "./unknown-setting.ts";

/** Names the configuration file; no setting, since it can't be in the file. */
export const CONFIG_FILE_VARIABLE = "MOSAIC_CONFIG_FILE";

const secretNames: ReadonlySet<string> = new Set(
  SECRET_VARIABLES.flatMap(({ variable }) => [variable, `${variable}_FILE`]),
);

/** A text from a variable or a flag in the setting's own type; one that doesn't fit stays text, for the schema to refuse. */
function fromText(setting: Setting, text: string): string | number | boolean {
  if (setting.kind === "number" && /^-?\d{1,15}$/.test(text)) return Number(text);
  if (setting.kind === "boolean" && (text === "true" || text === "false")) return text === "true";
  return text;
}

/**
 * Whether Kubernetes or a container link put this variable there: a Service named `mosaic` gives every pod
 * `MOSAIC_SERVICE_HOST`, `MOSAIC_PORT=tcp://…` and their kin.
 */
function isServiceLink(name: string, value: string): boolean {
  return (
    /_SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)$/.test(name) ||
    /_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$/.test(name) ||
    (name.endsWith("_PORT") && /^(tcp|udp|sctp):\/\//.test(value))
  );
}

function unknownVariable(variable: string): ConfigFault {
  const known = [...catalogue.values()].map((setting) => setting.variable);
  const guess = nearestName(variable, [...known, ...secretNames, CONFIG_FILE_VARIABLE]);
  const remedy = guess === undefined ? "Unset it." : `Did you mean ${guess}? Otherwise unset it.`;
  return { path: variable, origin: { kind: "environment", variable }, message: "is not a known variable", remedy };
}

/** The MOSAIC_* variables. Those that may hold a secret are read apart, once the tier is known. */
export function readEnvironment(environment: Environment, otherVariables: readonly string[]): Layer {
  const byVariable = new Map([...catalogue.values()].map((setting) => [setting.variable, setting]));
  const elsewhere = new Set([CONFIG_FILE_VARIABLE, ...secretNames, ...otherVariables]);
  const entries: Entry[] = [];
  const faults: ConfigFault[] = [];
  for (const [name, value] of Object.entries(environment)) {
    if (!name.startsWith("MOSAIC_") || value === undefined || value === "" || isServiceLink(name, value)) continue;
    const setting = byVariable.get(name);
    if (setting !== undefined) {
      const origin = { kind: "environment", variable: name } as const;
      entries.push({ path: setting.path, value: fromText(setting, value), origin });
    } else if (!elsewhere.has(name)) {
      faults.push(unknownVariable(name));
    }
  }
  return { entries, faults };
}

/** The settings given by path on a command line, or by a test. */
export function readFlags(flags: Readonly<Record<string, string | number | boolean | undefined>>): Layer {
  const origin = { kind: "flag" } as const;
  const entries: Entry[] = [];
  const faults: ConfigFault[] = [];
  for (const [path, value] of Object.entries(flags)) {
    if (value === undefined) continue;
    const setting = catalogue.get(path);
    if (setting === undefined) faults.push(unknownSetting(path, origin));
    else entries.push({ path, value: typeof value === "string" ? fromText(setting, value) : value, origin });
  }
  return { entries, faults };
}
