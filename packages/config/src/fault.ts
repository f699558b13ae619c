import type { Problem } from "@mosaicstack/foundation";
import type { ConfigFault, Origin } from "./config.ts";
import { problem } from "./problems.ts";

/** Who said so, as a person would put it: `MOSAIC_HTTP_PORT`, a file's path, `a flag`, `default`. */
export function describeOrigin(origin: Origin): string {
  switch (origin.kind) {
    case "file":
      return origin.file;
    case "environment":
      return origin.variable;
    case "flag":
      return "a flag";
    case "default":
      return "default";
  }
}

/** The place to go to with an editor. */
export function correct(path: string, origin: Origin): string {
  switch (origin.kind) {
    case "file":
      return `Correct ${path} in ${origin.file}.`;
    case "environment":
      return `Correct ${origin.variable}.`;
    case "flag":
    case "default":
      return `Correct the flag that sets ${path}.`;
  }
}

function line(fault: ConfigFault): string {
  const from =
    fault.origin === undefined || describeOrigin(fault.origin) === fault.path ? "" : describeOrigin(fault.origin);
  return `  ${fault.path}${from === "" ? "" : ` (${from})`}: ${fault.message}. ${fault.remedy}`;
}

/** All faults as one Problem; its `faults` extension holds the list. */
export function configInvalid(faults: readonly ConfigFault[]): Problem {
  const count = faults.length === 1 ? "one fault" : `${faults.length} faults`;
  return problem("config_invalid", {
    detail: `The configuration has ${count}:\n${faults.map(line).join("\n")}`,
    extensions: { faults },
  });
}
