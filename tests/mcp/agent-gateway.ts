import { openAsBlob } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Config, GivenSecrets } from "@mosaicstack/config";
import { systemClock } from "@mosaicstack/foundation";
import { composeGateway, createLog, type GatewayDependencies } from "@mosaicstack/gateway";
import { testSnapshotFile } from "@mosaicstack/harness";
import { openPglite } from "@mosaicstack/storage";

/** A gateway that listens on a free port, and the key of its administrator. */
export interface AgentGateway {
  readonly url: string;
  readonly key: string;
  stop(): Promise<void>;
}

const http = { host: "127.0.0.1", port: 0, tls: "off", maxBodyBytes: 1_048_576 } as const;
const log = { level: "silent", format: "json" } as const;

export const localConfig = (dataDirectory: string): Config => ({ tier: "local", dataDirectory, http, log });

export const federatedConfig = (dataDirectory: string): Config => ({
  tier: "federated",
  embedded: true,
  dataDirectory,
  queue: { kind: "in-process" },
  certificateAuthority: { kind: "embedded" },
  http,
  log,
  federation: {
    host: "127.0.0.1",
    port: 0,
    certificateLifetimeDays: 7,
    inviteLifetimeMinutes: 15,
    deadlineMs: 2000,
    maxRowsPerQuery: 200,
  },
});

export const standaloneConfig = (address: {
  readonly host: string;
  readonly port: number;
  readonly name: string;
  readonly user: string;
}): Config => {
  const { host, port, name, user } = address;
  return { tier: "standalone", database: { host, port, name, user, tls: "off", poolSize: 4 }, http, log };
};

/** As the gateway opens it, from a database laid out before: two seconds less. */
const openEmbedded: NonNullable<GatewayDependencies["openStore"]> = async (config) => {
  if (!("dataDirectory" in config)) throw new Error(`tier ${config.tier} keeps no data directory`);
  return openPglite({
    dataDirectory: join(config.dataDirectory, "database"),
    vector: config.tier === "federated",
    snapshot: await openAsBlob(await testSnapshotFile()),
  });
};

/** Starts a gateway, and sets up its administrator over HTTP. Stop it when done. */
export async function startAgentGateway(
  configure: (dataDirectory: string) => Config,
  secrets: GivenSecrets = {},
): Promise<AgentGateway> {
  const folder = await mkdtemp(join(tmpdir(), "mosaic-agent-gateway-"));
  const config = configure(join(folder, "data"));
  const gateway = await composeGateway({
    config,
    secrets,
    clock: systemClock,
    log: createLog(log),
    ...("dataDirectory" in config ? { openStore: openEmbedded } : {}),
  });
  await gateway.start();
  const { people: url } = gateway.urls();
  const answer = await fetch(new URL("/api/v1/setup", url), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      code: gateway.setupCode,
      name: "Ada",
      email: "ada@example.org",
      password: "correct horse battery staple",
    }),
  });
  const { api_key: key } = (await answer.json()) as { api_key: string };
  return {
    url,
    key,
    async stop() {
      await gateway.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
