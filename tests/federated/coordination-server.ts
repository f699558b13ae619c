import type { ValkeyAddress } from "@mosaicstack/coordination";
import { Redis } from "ioredis";
import { startPrivateValkey } from "../../scripts/services/private-instances.ts";

type PrivateValkey = Awaited<ReturnType<typeof startPrivateValkey>>;

/** A server that one test file owns, and an administrator's way in. */
export interface OwnServer {
  readonly server: PrivateValkey;
  readonly address: ValkeyAddress & { readonly password: string };
  /** Answers one command, e.g. `run("config", "set", "maxmemory", "0")`. */
  run(...command: [string, ...string[]]): Promise<unknown>;
}

export async function startOwnServer(): Promise<OwnServer> {
  const server = await startPrivateValkey();
  const { host, port, password } = server;
  return {
    server,
    address: { host, port, database: 0, password, tls: false },
    async run(name, ...words) {
      const client = new Redis({ host, port, password, lazyConnect: true, retryStrategy: () => null });
      client.on("error", () => undefined);
      try {
        await client.connect();
        return await client.call(name, ...words);
      } finally {
        client.disconnect();
      }
    },
  };
}
