import type { LoadedConfig } from "@mosaicstack/config";
import type { Host } from "../host.ts";
import { bounded } from "./bounded.ts";
import type { Check } from "./check.ts";
import { checkDataDirectory } from "./data-directory-check.ts";
import { checkDiskSpace } from "./disk-space-check.ts";
import { checkEmbeddedData } from "./embedded-data-check.ts";
import { checkSecrets } from "./secrets-check.ts";
import { SEAL_KEY } from "./stored-data-checks.ts";
import { checkTlsFiles } from "./tls-files-check.ts";

/**
 * Looks at what a gateway of this configuration keeps on this machine, without touching it.
 * @param isServed whether a gateway may have its data directory open: one answers, or another one was asked for
 */
export async function checkMachine(host: Host, loaded: LoadedConfig, isServed: boolean): Promise<readonly Check[]> {
  const { config } = loaded;
  const secrets = bounded(host, "secrets", async () => [await checkSecrets(loaded)]);
  const work: Promise<readonly Check[]>[] = [secrets];
  if ("dataDirectory" in config) {
    const { dataDirectory } = config;
    work.push(
      bounded(host, "data directory", async () => [await checkDataDirectory(dataDirectory, isServed)]),
      bounded(host, "disk space", async () => [await checkDiskSpace(dataDirectory)]),
      secrets.then(async ([found]) =>
        found?.status === "ok"
          ? await bounded(host, SEAL_KEY, async () => await checkEmbeddedData(loaded, dataDirectory, host.clock.now()))
          : [],
      ),
    );
  }
  work.push(bounded(host, "tls files", async () => await checkTlsFiles(host, config)));
  return (await Promise.all(work)).flat();
}
