import { type GatewayServices, startGateway, type TestGateway } from "@mosaicstack/harness";
import { type FreshDatabase, freshDatabase } from "./fresh-database.ts";
import { startPrivatePostgresql, startPrivateValkey } from "../../scripts/services/private-instances.ts";

type PrivatePostgresql = Awaited<ReturnType<typeof startPrivatePostgresql>>;
type PrivateValkey = Awaited<ReturnType<typeof startPrivateValkey>>;

/** The services of one federated gateway, which its test may take away. */
export interface PrivateServices {
  readonly postgresql: PrivatePostgresql;
  readonly valkey: PrivateValkey;
  readonly addresses: GatewayServices;
  stop(): Promise<void>;
}

/** A PostgreSQL and a Valkey that nobody else uses. About 3 s. */
export async function startServices(): Promise<PrivateServices> {
  const [postgresql, valkey] = await Promise.all([startPrivatePostgresql(), startPrivateValkey()]);
  return {
    postgresql,
    valkey,
    addresses: { database: addressOf(postgresql.url), valkey: valkeyAddress(valkey.url) },
    stop: async () => {
      await Promise.all([postgresql.stop(), valkey.stop()]);
    },
  };
}

/** A federated gateway on a fresh database of the shared services, with a Valkey database of its own number. */
export async function startOnSharedServices(
  name: string,
  number: number,
): Promise<{ readonly gateway: TestGateway; readonly database: FreshDatabase; stop(): Promise<void> }> {
  const database = await freshDatabase();
  const url = new URL(process.env["MOSAIC_TEST_VALKEY_URL"] ?? "");
  url.pathname = `/${number}`;
  const services = { database: database.address, valkey: valkeyAddress(url.href) };
  const gateway = await startGateway({ tier: "federated", name, services });
  return {
    gateway,
    database,
    stop: async () => {
      await gateway.stop();
      await database.drop();
    },
  };
}

/** Where a PostgreSQL is, and as whom, from its URL. */
export function addressOf(href: string): GatewayServices["database"] {
  const url = new URL(href);
  return {
    host: url.hostname,
    port: Number(url.port),
    name: url.pathname.slice(1),
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
  };
}

function valkeyAddress(href: string): GatewayServices["valkey"] {
  const url = new URL(href);
  return {
    host: url.hostname,
    port: Number(url.port),
    database: Number(url.pathname.slice(1)),
    password: decodeURIComponent(url.password),
    tls: url.protocol === "rediss:",
  };
}
