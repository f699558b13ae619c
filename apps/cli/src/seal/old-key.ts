import { access } from "node:fs/promises";
import { join } from "node:path";
import type { LoadedConfig } from "@mosaicstack/config";
import { cliProblem } from "../problems.ts";

/** Where an embedded gateway keeps the secrets it generates. */
export function secretsFolder(dataDirectory: string): string {
  return join(dataDirectory, "secrets");
}

/**
 * What the gateway seals with now, as `mosaic start` would find it; where that would make a secret, there is none yet.
 * @throws Problem `file_not_found`, and what reading the generated secret may fail with
 */
export async function presentSealSecret(loaded: LoadedConfig): Promise<string> {
  const { config, secrets } = loaded;
  if (secrets.sealKey !== undefined) return secrets.sealKey.reveal();
  if ("dataDirectory" in config && secrets.authSecret === undefined) {
    const file = join(secretsFolder(config.dataDirectory), "auth-secret");
    const isThere = await access(file).then(
      () => true,
      () => false,
    );
    if (!isThere) {
      throw cliProblem("file_not_found", {
        detail: `There is no ${file}, the secret that this gateway seals with.`,
        remedy: "Restore it from a backup, or set MOSAIC_SEAL_KEY_FILE if the gateway seals with a key of its own.",
      });
    }
  }
  const { ensureSecrets } = await import("@mosaicstack/config");
  return (await ensureSecrets(loaded)).sealKey.reveal();
}
