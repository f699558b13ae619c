import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Config, Secret } from "@mosaicstack/config";
import { type Clock, systemClock } from "@mosaicstack/foundation";
import { composeGateway, createLog } from "@mosaicstack/gateway";
import { openTestStore } from "@mosaicstack/harness";
import { type Ran, runHere, type RunOptions } from "./run-here.ts";

export const PASSWORD = "correct horse battery staple";

/** A gateway that listens, over a real PGlite. */
export interface RealGateway {
  readonly url: string;
  /** The admin's key. */
  readonly key: string;
  readonly setupCode: string;
  /** Runs a command line as the admin, or as the holder of another key. */
  readonly mosaic: (words: readonly string[], options?: RunOptions & { readonly key?: string }) => Promise<Ran>;
  /** The `data` of what it prints with --json. Fails the test where it did not end with `status`. */
  readonly data: <Data>(
    words: readonly string[],
    options?: RunOptions & { readonly key?: string; readonly status?: number },
  ) => Promise<Data>;
  stop(): Promise<void>;
}

const http = { host: "127.0.0.1", port: 0, tls: "off", maxBodyBytes: 1_048_576 } as const;
const log = { level: "silent", format: "json" } as const;

const standalone: Config = {
  tier: "standalone",
  http,
  log,
  database: { host: "127.0.0.1", port: 1, name: "mosaic", user: "mosaic", tls: "off", poolSize: 1 },
};

const federated = (dataDirectory: string): Config => ({
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

interface StartOptions {
  readonly tier?: "standalone" | "federated";
  /** Default true: Ada is its first admin. */
  readonly withAdmin?: boolean;
  /** What the gateway takes for the time. Default: the machine's. */
  readonly clock?: Clock;
}

/** Starts a gateway on a free port. Stop it when done. */
export async function startGateway(start: StartOptions = {}): Promise<RealGateway> {
  const { tier = "standalone", withAdmin = true, clock = systemClock } = start;
  const folder = await mkdtemp(join(tmpdir(), "mosaic-cli-gateway-"));
  const store = await openTestStore({ vector: tier === "federated" });
  const gateway = await composeGateway({
    config: tier === "federated" ? federated(folder) : standalone,
    secrets: { authSecret: new Secret("a secret of a test, longer than thirty-two characters") },
    clock,
    log: createLog(log),
    openStore: () => Promise.resolve(store),
  });
  await gateway.start();
  const { people: url } = gateway.urls();
  const setupCode = gateway.setupCode ?? "";
  const key = withAdmin ? await setUp(url, setupCode) : "";

  const mosaic: RealGateway["mosaic"] = async (words, options = {}) => {
    const variables = { MOSAIC_URL: url, MOSAIC_API_KEY: options.key ?? key, ...options.variables };
    return await runHere(words, { ...options, variables });
  };
  return {
    url,
    key,
    setupCode,
    mosaic,
    async data<Data>(
      words: readonly string[],
      options: RunOptions & { readonly key?: string; readonly status?: number } = {},
    ) {
      const { status, out, err } = await mosaic([...words, "--json"], options);
      if (status !== (options.status ?? 0)) throw new Error(`mosaic ${words.join(" ")} ended with ${status}: ${err}`);
      return (JSON.parse(out) as { data: Data }).data;
    },
    async stop() {
      await gateway.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function setUp(url: string, code: string): Promise<string> {
  const answer = await fetch(`${url}/api/v1/setup`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ code, name: "Ada", email: "ada@example.org", password: PASSWORD }),
  });
  return ((await answer.json()) as { api_key: string }).api_key;
}
