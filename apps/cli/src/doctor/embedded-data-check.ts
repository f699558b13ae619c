import { join } from "node:path";
import type { LoadedConfig } from "@mosaicstack/config";
import { presentSealSecret } from "../seal/old-key.ts";
import { checkStoredAuthority } from "./authority-check.ts";
import { type Check, faulty, skipped } from "./check.ts";
import { isLocked } from "./data-directory-check.ts";
import { checkSealKey, SEAL_KEY, storedRoot } from "./stored-data-checks.ts";

/** Of the database's files: larger ones are not worth the memory and the time. */
const MAX_BYTES = 256 * 2 ** 20;

/**
 * Looks into an embedded database that nobody has open, by a copy in memory: with what its values are sealed, and the root of its
 * authority. Opens no sealed value. Says nothing where there is no database yet.
 */
export async function checkEmbeddedData(
  loaded: LoadedConfig,
  dataDirectory: string,
  now: Date,
): Promise<readonly Check[]> {
  if (await isLocked(dataDirectory)) {
    return [skipped(SEAL_KEY, "the gateway has the data open, and looked at it when it started")];
  }
  const { createSealer, openEmbeddedCopy } = await import("@mosaicstack/storage");
  try {
    const copy = await openEmbeddedCopy(join(dataDirectory, "database"), { maxBytes: MAX_BYTES });
    if (copy.kind === "none") return [];
    if (copy.kind === "too large") {
      return [skipped(SEAL_KEY, `the data is large (${Math.round(copy.bytes / 2 ** 20)} MiB); the start looks at it`)];
    }
    try {
      if (await isLocked(dataDirectory)) return [skipped(SEAL_KEY, "a gateway has just opened the data")];
      if (copy.migrations !== "current") return [skipped(SEAL_KEY, "the tables are another version's")];
      const { keyId } = createSealer({ secret: await presentSealSecret(loaded) });
      const authority = isWithAuthority(loaded) ? [checkStoredAuthority(await storedRoot(copy.store), now)] : [];
      return [await checkSealKey(copy.store, keyId), ...authority];
    } finally {
      await copy.close();
    }
  } catch (error) {
    return [faulty(SEAL_KEY, error)];
  }
}

function isWithAuthority({ config }: LoadedConfig): boolean {
  return config.tier === "federated" && config.certificateAuthority.kind === "embedded";
}
