import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type EmbeddedFederatedConfig, Secret } from "@mosaicstack/config";
import { systemClock } from "@mosaicstack/foundation";
import { composeGateway, createLog } from "@mosaicstack/gateway";
import type { Store } from "@mosaicstack/storage";

function configOf(dataDirectory: string): EmbeddedFederatedConfig {
  return {
    tier: "federated",
    embedded: true,
    dataDirectory,
    http: { host: "127.0.0.1", port: 0, tls: "off", maxBodyBytes: 1_048_576 },
    log: { level: "silent", format: "json" },
    queue: { kind: "in-process" },
    certificateAuthority: { kind: "embedded" },
    federation: {
      host: "127.0.0.1",
      port: 0,
      certificateLifetimeDays: 7,
      inviteLifetimeMinutes: 15,
      deadlineMs: 2000,
      maxRowsPerQuery: 200,
    },
  };
}

/**
 * docs/openapi.json: what a gateway of tier `federated` serves at /openapi.json, which has every route there is.
 * @param openStore an empty migrated database with the vector extension; the gateway closes it
 */
export async function openApiDocument(openStore: () => Promise<Store>): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "mosaic-openapi-"));
  try {
    const gateway = await composeGateway({
      config: configOf(directory),
      secrets: { authSecret: new Secret(randomBytes(32).toString("hex")) },
      clock: systemClock,
      log: createLog({ level: "silent", format: "json" }),
      openStore,
    });
    try {
      return `${JSON.stringify(gateway.app.swagger(), null, 2)}\n`;
    } finally {
      await gateway.stop();
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
}
