import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type CertificateAuthorityConfig,
  type Config,
  type FederationConfig,
  type GivenSecrets,
  type QueueAccess,
  Secret,
} from "@mosaicstack/config";
import { type Clock, systemClock } from "@mosaicstack/foundation";
import { schema, type Store } from "@mosaicstack/storage";
import { openTestStore } from "./embedded-database.ts";
import { freePort, type Relay } from "./relay.ts";
import { createRestClients, type RestClient } from "./rest-client.ts";

/** A user of a running gateway, and a client that speaks as them. */
export interface TestUser {
  readonly id: string;
  readonly name: string;
  readonly email: string;
  /** Their API key. */
  readonly key: string;
  readonly api: RestClient;
}

export interface GatewayOptions {
  /** `standalone` too runs on an embedded database here. */
  readonly tier: "federated" | "standalone" | "local";
  /** Tells gateways of one test apart: users' e-mail addresses end in it. */
  readonly name: string;
  /** How long a blended query waits for all its peers together. Default 2000. */
  readonly deadlineMs?: number;
  /** Default 15. */
  readonly inviteLifetimeMinutes?: number;
  /** The most rows one answer to a peer carries. Default 200. */
  readonly maxRowsPerQuery?: number;
  /** Peers dial this, which is made to lead to the listener. Default: the listener itself. */
  readonly relay?: Relay;
  /** Of the people listener. Default `off`. */
  readonly tls?: "off" | "auto";
  /** Default: the system's. */
  readonly clock?: Clock;
  /** PostgreSQL and Valkey, for a federated gateway that is not embedded. */
  readonly services?: GatewayServices;
  /** Another gateway whose services and secret this one shares: a second process of the same gateway. */
  readonly replicaOf?: TestGateway;
  /** Where it has text embedded, as EMBEDDINGS_URL names it. Default: nowhere. */
  readonly embeddingsUrl?: string;
  /** Puts something around its database. */
  readonly aroundStore?: (store: Store) => Store;
}

export interface GatewayServices {
  readonly database: DatabaseRoleAddress;
  readonly valkey: QueueAccess;
  /** Absent: the gateway is its own authority. */
  readonly stepCa?: StepCaFiles;
}

/** What a step-ca gives its gateways: the folder `gateway/` of deploy/step-ca. */
export interface StepCaFiles {
  readonly url: string;
  readonly rootFile: string;
  readonly provisionerKeyFile: string;
  readonly provisionerPasswordFile: string;
}

/** Where a database is, and as whom. */
interface DatabaseRoleAddress {
  readonly host: string;
  readonly port: number;
  readonly name: string;
  readonly user: string;
  readonly password: string;
}

/** A real gateway in this process: its own database, its own listeners on free loopback ports. Whoever starts it stops it. */
export interface TestGateway {
  readonly name: string;
  /** The people listener: `http://127.0.0.1:port`. */
  readonly url: string;
  /** Where peers are answered: `https://127.0.0.1:port`; undefined where the tier has none. */
  readonly federationUrl: string | undefined;
  readonly store: Store;
  /** Its log as written, one JSON object a line, of every level. */
  readonly log: readonly string[];
  /** Bodies of every answer of status 400 and above. */
  readonly refusals: readonly string[];
  /** What the gateway seals and signs with. */
  readonly secret: string;
  /** Undefined: its database is embedded. */
  readonly services: GatewayServices | undefined;
  /** The administrator, made with the set-up code. */
  readonly admin: TestUser;
  /** @param key absent: without a credential */
  api(key?: string): RestClient;
  /** A new user with an API key. */
  addUser(name: string): Promise<TestUser>;
  /** A user there is already, with a new API key. */
  apiKeyFor(user: Omit<TestUser, "key" | "api">): Promise<TestUser>;
  /** A new team; its first member is its owner. Its id. */
  addTeam(name: string, ...members: readonly [TestUser, ...TestUser[]]): Promise<string>;
  /** Has its listeners' certificate made anew now. */
  renewServerCertificate(): Promise<void>;
  /** Drains and closes. Idempotent. */
  stop(): Promise<void>;
}

const PASSWORD = "correct horse battery staple";

async function federationOf(options: GatewayOptions): Promise<FederationConfig> {
  const { relay } = options;
  // A listener with a public address does not tell its own, so it is told where to listen.
  const port = relay === undefined ? 0 : await freePort();
  relay?.target(port);
  return {
    host: "127.0.0.1",
    port,
    ...(relay === undefined ? {} : { publicUrl: `https://127.0.0.1:${relay.port}` }),
    certificateLifetimeDays: 7,
    inviteLifetimeMinutes: options.inviteLifetimeMinutes ?? 15,
    deadlineMs: options.deadlineMs ?? 2_000,
    maxRowsPerQuery: options.maxRowsPerQuery ?? 200,
  };
}

async function configOf(
  options: GatewayOptions,
  dataDirectory: string,
  services: GatewayServices | undefined,
): Promise<Config> {
  const common = {
    http: { host: "127.0.0.1", port: 0, tls: options.tls ?? "off", maxBodyBytes: 1_048_576 },
    log: { level: "trace", format: "json" },
  } as const;
  switch (options.tier) {
    case "local":
      return { ...common, tier: "local", dataDirectory };
    case "standalone": {
      const database = { host: "127.0.0.1", port: 1, name: "none", user: "none", tls: "off", poolSize: 1 } as const;
      return { ...common, tier: "standalone", database };
    }
    case "federated": {
      const federated = {
        ...common,
        tier: "federated",
        certificateAuthority: authorityOf(services?.stepCa),
        federation: await federationOf(options),
      } as const;
      if (services === undefined) {
        return { ...federated, embedded: true, dataDirectory, queue: { kind: "in-process" } };
      }
      const { password: _database, ...database } = services.database;
      const { password: _valkey, ...valkey } = services.valkey;
      return {
        ...federated,
        embedded: false,
        database: { ...database, tls: "off", poolSize: 5 },
        queue: { kind: "bullmq", ...valkey },
      };
    }
  }
}

/** Boots a gateway as `mosaic start` does, but for an embedded database, which is a fresh one in memory. About 1 s. */
export async function startGateway(options: GatewayOptions): Promise<TestGateway> {
  // Here, so that a test which only opens a database does not load a gateway first.
  const { composeGateway, createLog, openStore } = await import("@mosaicstack/gateway");
  const dataDirectory = await mkdtemp(join(tmpdir(), "mosaic-gateway-"));
  const { replicaOf, aroundStore = (store: Store) => store } = options;
  const services = options.services ?? replicaOf?.services;
  const log: string[] = [];
  const secret = replicaOf?.secret ?? randomBytes(32).toString("hex");
  const config = await configOf(options, dataDirectory, services);
  const isFederated = options.tier === "federated";
  const gateway = await composeGateway({
    config,
    secrets: {
      authSecret: new Secret(secret),
      ...(await secretsOf(services)),
      ...(options.embeddingsUrl === undefined ? {} : { embeddings: new Secret(options.embeddingsUrl) }),
    },
    clock: options.clock ?? systemClock,
    log: createLog(config.log, { write: (line) => void log.push(line) }),
    openStore: async (itsConfig, secrets) =>
      aroundStore(
        await (services === undefined ? openTestStore({ vector: isFederated }) : openStore(itsConfig, secrets)),
      ),
  });
  const { store } = gateway;
  await gateway.start();
  const { people, federation } = gateway.urls();
  const clients = createRestClients(people, options.tls === "auto" ? await rootOf(store) : undefined);

  const withKey = (user: Omit<TestUser, "key" | "api">, key: string): TestUser => {
    const { id, name, email } = user;
    return { id, name, email, key, api: clients.as(key) };
  };
  const setUp = async (): Promise<TestUser> => {
    const email = `admin@${options.name}.test`;
    const claim = { code: gateway.setupCode, name: `Admin of ${options.name}`, email, password: PASSWORD };
    const claimed = await clients.as().json("POST", "/api/v1/setup", claim);
    return withKey(claimed.user, claimed.api_key);
  };
  const admin = replicaOf === undefined ? await setUp() : withKey(replicaOf.admin, replicaOf.admin.key);

  const apiKeyFor: TestGateway["apiKeyFor"] = async (user) => {
    const { key } = await admin.api.json("POST", `/api/v1/users/${user.id}/api-keys`, { name: "test" });
    return withKey(user, key);
  };

  let stopped: Promise<void> | undefined;
  async function stop(): Promise<void> {
    await clients.close();
    await gateway.stop();
    await rm(dataDirectory, { recursive: true });
  }

  return {
    name: options.name,
    url: people,
    federationUrl: federation,
    store,
    log,
    refusals: clients.refusals,
    secret,
    services,
    admin,
    api: (key) => clients.as(key),
    async addUser(name) {
      const address = `${name.toLowerCase().replaceAll(/[^a-z0-9]+/g, ".")}@${options.name}.test`;
      return await apiKeyFor(await admin.api.json("POST", "/api/v1/users", { name, email: address }));
    },
    apiKeyFor,
    async addTeam(name, owner, ...members) {
      const { id } = await owner.api.json("POST", "/api/v1/teams", { name });
      for (const member of members) await owner.api.json("PUT", `/api/v1/teams/${id}/members/${member.id}`, {});
      return id;
    },
    renewServerCertificate: () => gateway.renewServerCertificate(),
    stop: () => (stopped ??= stop()),
  };
}

function authorityOf(stepCa: StepCaFiles | undefined): CertificateAuthorityConfig {
  return stepCa === undefined ? { kind: "embedded" } : { kind: "step-ca", url: stepCa.url, rootFile: stepCa.rootFile };
}

async function secretsOf(services: GatewayServices | undefined): Promise<GivenSecrets> {
  const { database, valkey, stepCa } = services ?? {};
  const fromFile = async (file: string): Promise<Secret> => new Secret((await readFile(file, "utf8")).trim());
  return {
    ...(stepCa === undefined
      ? {}
      : {
          provisionerKey: await fromFile(stepCa.provisionerKeyFile),
          provisionerPassword: await fromFile(stepCa.provisionerPasswordFile),
        }),
    ...(database === undefined ? {} : { databasePassword: new Secret(database.password) }),
    ...(valkey?.password === undefined ? {} : { queuePassword: new Secret(valkey.password) }),
  };
}

/** The gateway's own authority, as an administrator would hand it to a browser. */
async function rootOf(store: Store): Promise<string | undefined> {
  return (await store.db.select().from(schema.certificateAuthorities))[0]?.rootPem;
}
