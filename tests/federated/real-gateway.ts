import { type GatewayOptions, type GatewayServices, startGateway, type TestGateway } from "@mosaicstack/harness";
import { type FreshDatabase, freshDatabase } from "./fresh-database.ts";
import {
  startPrivatePostgresql,
  startPrivateStepCa,
  startPrivateValkey,
} from "../../scripts/services/private-instances.ts";

type PrivatePostgresql = Awaited<ReturnType<typeof startPrivatePostgresql>>;
type PrivateValkey = Awaited<ReturnType<typeof startPrivateValkey>>;
type PrivateStepCa = Awaited<ReturnType<typeof startPrivateStepCa>>;

/** The services of one federated gateway, which its test may take away. */
export interface PrivateServices {
  readonly postgresql: PrivatePostgresql;
  readonly valkey: PrivateValkey;
  /** Where it was asked for. */
  readonly stepCa: PrivateStepCa | undefined;
  readonly addresses: GatewayServices;
  stop(): Promise<void>;
}

/** A PostgreSQL and a Valkey that nobody else uses, and a step-ca where asked for. About 3 s. */
export async function startServices(options: { readonly stepCa?: boolean } = {}): Promise<PrivateServices> {
  const [postgresql, valkey, stepCa] = await Promise.all([
    startPrivatePostgresql(),
    startPrivateValkey(),
    options.stepCa === true ? startPrivateStepCa() : undefined,
  ]);
  return {
    postgresql,
    valkey,
    stepCa,
    addresses: {
      database: addressOf(postgresql.url),
      valkey: valkeyAddress(valkey.url),
      ...(stepCa === undefined ? {} : { stepCa: { url: stepCa.url, ...stepCa.gateway } }),
    },
    stop: async () => {
      await Promise.all([postgresql.stop(), valkey.stop(), stepCa?.stop()]);
    },
  };
}

/** A federated gateway on a fresh database of the shared services, with a Valkey database of its own number. */
export async function startOnSharedServices(
  name: string,
  number: number,
  options: Partial<GatewayOptions> = {},
): Promise<{ readonly gateway: TestGateway; readonly database: FreshDatabase; readonly stop: () => Promise<void> }> {
  const database = await freshDatabase();
  const url = new URL(process.env["MOSAIC_TEST_VALKEY_URL"] ?? "");
  url.pathname = `/${number}`;
  const services = { database: database.address, valkey: valkeyAddress(url.href) };
  const gateway = await startGateway({ ...options, tier: "federated", name, services });
  return {
    gateway,
    database,
    stop: async () => {
      await gateway.stop();
      await database.drop();
    },
  };
}

let started = 0;

/** As `startGateway`, but federated on PostgreSQL and Valkey: a fresh database of the shared ones, gone when it stops. */
export async function startReal(options: GatewayOptions): Promise<TestGateway> {
  started += 1;
  // Valkey has sixteen databases; more gateways than that never run at once.
  const { gateway, stop } = await startOnSharedServices(options.name, started % 16, options);
  return { ...gateway, stop };
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
