import { lstat } from "node:fs/promises";
import { join } from "node:path";
import type { LoadedConfig } from "@mosaicstack/config";
import { type Check, fault, faulty, ok } from "./check.ts";

const NAME = "secrets";

/** Looks at the secrets a gateway of this configuration would start with. Makes none, and changes nothing. */
export async function checkSecrets(loaded: LoadedConfig): Promise<Check> {
  const { config, secrets } = loaded;
  const sealing = secrets.sealKey === undefined ? "" : "; MOSAIC_SEAL_KEY is set";
  // Without the one it needs, a tier that keeps no folder has no valid configuration.
  if (!("dataDirectory" in config)) return ok(NAME, `BETTER_AUTH_SECRET is set${sealing}`);
  const folder = join(config.dataDirectory, "secrets");
  const file = join(folder, "auth-secret");
  const isGenerated = await isThere(file);
  const given = secrets.authSecret !== undefined;
  if (!isGenerated && !given) {
    if (!(await isThere(join(config.dataDirectory, "database")))) {
      return ok(NAME, `none yet; the first start generates ${file}${sealing}`);
    }
    return fault(
      NAME,
      "secret_lost",
      `${config.dataDirectory} has a database, and the secret generated for it is gone (${file}).`,
      `Restore ${file} from a backup: what was sealed with it can't be opened without it.`,
    );
  }
  const { ensureSecrets } = await import("@mosaicstack/config");
  try {
    // Where the folder is there and the secret is either generated or given, this reads and makes nothing.
    if (await isThere(folder)) await ensureSecrets(loaded);
  } catch (error) {
    return faulty(NAME, error);
  }
  return ok(NAME, `${given ? "BETTER_AUTH_SECRET is set" : `${file}, readable by its owner alone`}${sealing}`);
}

async function isThere(path: string): Promise<boolean> {
  return await lstat(path).then(
    () => true,
    () => false,
  );
}
