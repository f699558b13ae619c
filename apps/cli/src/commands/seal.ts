import { join } from "node:path";
import type { LoadedConfig } from "@mosaicstack/config";
import type { RotationDatabase } from "@mosaicstack/storage";
import type { Define } from "../command-groups.ts";
import { examples } from "../examples.ts";
import { loadGatewayConfig, settingFlag } from "../gateway-config.ts";
import type { Invocation } from "../invocation.ts";
import { cliProblem } from "../problems.ts";
import { newKey } from "../seal/new-key.ts";
import { presentSealSecret } from "../seal/old-key.ts";
import { reportRotation } from "../seal/rotation-report.ts";
import { describeSource } from "../storage/open-source.ts";

interface RotateFlags {
  readonly newKeyFile?: string;
  readonly dryRun?: true;
  readonly config?: string;
  readonly set?: Record<string, string>;
}

async function databaseOf({ config, secrets }: LoadedConfig): Promise<RotationDatabase> {
  if ("dataDirectory" in config) return { engine: "pglite", dataDirectory: join(config.dataDirectory, "database") };
  const { databaseAccess } = await import("@mosaicstack/config");
  return { engine: "postgres", options: await databaseAccess(config.database, secrets) };
}

async function rotate(invocation: Invocation, flags: RotateFlags): Promise<void> {
  const { host, output } = invocation;
  const loaded = await loadGatewayConfig(host, { file: flags.config, settings: flags.set });
  for (const { path, message } of loaded.warnings) output.warn(`${path}: ${message}`);
  const { createSealer, openForRotation, rotateSeal } = await import("@mosaicstack/storage");
  const isKeySet = loaded.secrets.sealKey !== undefined;
  const from = createSealer({ secret: await presentSealSecret(loaded) });
  const idOf = (secret: string): string => createSealer({ secret }).keyId;
  const key = flags.dryRun === true ? undefined : await newKey(invocation, loaded, flags.newKeyFile, idOf);
  const to = key && createSealer({ secret: key.secret });
  if (to?.keyId === from.keyId) {
    throw cliProblem("usage_invalid", {
      detail: "The new key is the one the gateway has.",
      remedy: "Make another with: openssl rand -base64 48",
    });
  }
  const store = await openForRotation(await databaseOf(loaded));
  try {
    if (key === undefined || to === undefined) {
      const rotation = await rotateSeal({ store, from, signal: host.signal });
      reportRotation(output, { rotation, oldKeyId: from.keyId, newKey: undefined, isKeySet });
      return;
    }
    await invocation.confirm(`Seal everything in ${describeSource(loaded)} with the new key?`);
    const rotation = await rotateSeal({ store, from, to, signal: host.signal, beforeCommit: () => key.keep() });
    reportRotation(output, { rotation, oldKeyId: from.keyId, newKey: { id: to.keyId, file: key.file }, isKeySet });
  } finally {
    await store.close();
  }
}

/** `mosaic seal` */
export const define: Define = (group, run) => {
  examples(group, ["mosaic seal rotate --dry-run", "does everything that is sealed open with the present key"]);
  const command = group
    .command("rotate")
    .description(
      "Seal credentials, the keys for peers and the authority's key with a new key. The gateway has to be stopped",
    )
    .option(
      "--new-key-file <file>",
      "the new key, 32 characters or more; made where this is not given; - is standard input",
    )
    .option("--dry-run", "open everything, count, and write nothing")
    .option("--config <file>", "this file instead of mosaic.config.json")
    .option("--set <setting=value>", "as for `mosaic start`, any number of times", settingFlag)
    .action(run(rotate));
  examples(
    command,
    ["mosaic seal rotate --dry-run", "counts what is sealed, and opens all of it"],
    ["mosaic seal rotate", "embedded: makes the key, in a file beside the gateway's other secret"],
    ["mosaic seal rotate --new-key-file /etc/mosaic/seal-key-2 --yes", "with a key of your own, without asking"],
  );
};
