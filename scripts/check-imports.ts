import { join } from "node:path";
import { findImportOffences } from "./repository/import-offences.ts";

const offences = findImportOffences(join(import.meta.dirname, ".."));
for (const { file, line, rule, message } of offences) console.error(`${file}:${line}  ${rule}: ${message}`);
if (offences.length > 0) {
  console.error(`\n${offences.length} imports break the rules of scripts/repository/import-rules.ts`);
  process.exit(1);
}
console.log("imports run one way");
