import { catalogue, sections } from "./catalogue.ts";
import type { ConfigFault, Origin } from "./config.ts";
import { nearestName } from "./nearest-name.ts";

const SECRET_NAME = /secret|passw|seal|token|credential/i;
const SECRETS_ELSEWHERE =
  "Secrets do not belong here: set BETTER_AUTH_SECRET, MOSAIC_SEAL_KEY, POSTGRES_PASSWORD or VALKEY_PASSWORD, or the same with _FILE and the path of a file.";

function lastName(path: string): string {
  return path.slice(path.lastIndexOf(".") + 1);
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf(".")));
}

/** The setting or section beside it that has nearly this name. */
function nearestSibling(path: string, all: readonly string[]): string | undefined {
  const parent = parentOf(path);
  const siblings = all.filter((known) => parentOf(known) === parent).map(lastName);
  const name = nearestName(lastName(path), siblings);
  return name === undefined || parent === "" ? name : `${parent}.${name}`;
}

/** The settings of just this name in other sections, else the nearest path of all. */
function nearestElsewhere(path: string, all: readonly string[]): string | undefined {
  const namesakes = all.filter((known) => lastName(known).toLowerCase() === lastName(path).toLowerCase());
  return namesakes.length > 0 ? namesakes.join(" or ") : nearestName(path, all);
}

/** The fault of a name that is no setting, with what was probably meant. */
export function unknownSetting(path: string, origin: Origin): ConfigFault {
  const all = [...catalogue.keys(), ...sections];
  const sibling = nearestSibling(path, all);
  const message = "is not a setting";
  if (sibling === undefined && SECRET_NAME.test(path)) return { path, origin, message, remedy: SECRETS_ELSEWHERE };
  const guess = sibling ?? nearestElsewhere(path, all);
  const remedy =
    guess === undefined
      ? "Take it out; docs/guides/configuration.md lists every setting."
      : `Did you mean ${guess}? Otherwise take it out.`;
  return { path, origin, message, remedy };
}
