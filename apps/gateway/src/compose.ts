import type { AddressInfo } from "node:net";
import { type Config, ensureSecrets, type GivenSecrets } from "@mosaicstack/config";
import type { Clock } from "@mosaicstack/foundation";
import { createWriter } from "@mosaicstack/resources";
import { assertSealKey, createSealer, type Store } from "@mosaicstack/storage";
import type { FastifyBaseLogger } from "fastify";
import { createApiKeys } from "./auth/api-keys.ts";
import { createAuthenticator } from "./auth/authenticator.ts";
import { createBetterAuth } from "./auth/better-auth.ts";
import { RateLimit } from "./auth/rate-limit.ts";
import { issueSetupCode, redeemSetupCode } from "./auth/setup-code.ts";
import { composeEmbedding } from "./embedding/index.ts";
import { assertServices } from "./bootstrap/detect-tier.ts";
import { openCoordination, openStore as openStoreOf } from "./bootstrap/open-services.ts";
import { registerApiKeys } from "./http/api-keys.ts";
import { certificateOf, followCertificate } from "./http/certificate.ts";
import { registerCapabilities } from "./http/capabilities.ts";
import { registerHealth } from "./http/health.ts";
import { registerImport } from "./http/import.ts";
import { listenerUrl } from "./http/listener-url.ts";
import { registerResources } from "./http/resources.ts";
import type { RouteTable } from "./http/route-table.ts";
import { createServer, drain, type Routes } from "./http/server.ts";
import { registerSearch } from "./http/search.ts";
import { registerSetup } from "./http/setup.ts";
import { registerSignIn } from "./http/sign-in.ts";
import { registerTeams } from "./http/teams.ts";
import { registerUsers } from "./http/users.ts";
import { createImporter } from "./importing/importer.ts";
import { HOUSEKEEPING_MS, keepHouse } from "./housekeeping.ts";
import { Owned } from "./owned.ts";
import { registerMcp } from "./mcp/index.ts";
import { gatewayProblem } from "./problems.ts";
import { createLocalReader } from "./reading/local-reader.ts";
import { createTeams } from "./teams/teams.ts";
import { createUsers } from "./users/users.ts";

/** A composed gateway. Whoever composes it stops it. */
export interface Gateway {
  /** Opens the listeners. @throws Problem `listener_failed` */
  start(): Promise<void>;
  /** Finishes what is under way, then closes listeners and database. Idempotent. */
  stop(): Promise<void>;
  /** Where people and agents, and peers where there is federation, reach it; once started. */
  urls(): GatewayUrls;
  /**
   * Has the listeners' own certificate made anew now, and presented; without federation there is none.
   * @throws Problem of the authority; the current one stays then
   */
  renewServerCertificate(): Promise<void>;
  /** The code for `POST /api/v1/setup`; undefined once there is an administrator. A secret: shown once, to whoever started the process. */
  readonly setupCode: string | undefined;
  /** The people listener's server, for requests without a socket. */
  readonly app: Routes;
  /** Every route of it, and who may call it. */
  readonly routes: RouteTable;
  /** The gateway's database. */
  readonly store: Store;
}

export interface GatewayUrls {
  readonly people: string;
  readonly federation?: string;
}

export interface GatewayDependencies {
  readonly config: Config;
  readonly secrets: GivenSecrets;
  readonly clock: Clock;
  readonly log: FastifyBaseLogger;
  /** Opens the database, migrated. Default: the tier's own. */
  readonly openStore?: (config: Config, secrets: GivenSecrets) => Promise<Store>;
  /** How long requests under way may take to finish once the gateway stops. Default 10,000. */
  readonly drainMs?: number;
}

const DRAIN_MS = 10_000;
/** Tells the other replicas whose credentials to forget. */
const USER_CHANGED = "user-changed";

/**
 * Builds a gateway from its configuration: the one place where the parts meet. Nothing listens until `start`.
 * @throws Problem of the configuration, the database or the certificates; nothing stays open then
 */
export async function composeGateway(dependencies: GatewayDependencies): Promise<Gateway> {
  const owned = new Owned();
  try {
    return await compose(dependencies, owned);
  } catch (error) {
    await owned
      .dispose()
      .catch((cause: unknown) => dependencies.log.error({ err: cause }, "closing after a failed start"));
    throw error;
  }
}

async function compose(dependencies: GatewayDependencies, owned: Owned): Promise<Gateway> {
  const { secrets: given, openStore = openStoreOf } = dependencies;
  const { config, clock, log, drainMs = DRAIN_MS } = dependencies;
  const { tls, publicUrl, host, port, maxBodyBytes } = config.http;
  if (config.tier === "federated" && !config.embedded) await assertServices(config, given);
  const store = await openStore(config, given);
  owned.add(() => store.close());
  const coordination = await openCoordination({ config, secrets: given, clock, log });
  owned.add(() => coordination.close());
  // After the store: generated secrets are made under the data directory's lock.
  const secrets = await ensureSecrets({ config, secrets: given });
  const sealer = createSealer({ secret: secrets.sealKey.reveal() });
  await assertSealKey(store, sealer);
  const embedding =
    config.tier === "federated" ? composeEmbedding({ secrets: given, store, coordination, log }) : undefined;
  if (embedding !== undefined) owned.add(() => Promise.resolve(embedding.stop()));
  const localReader = createLocalReader(store, embedding?.embedQuery);
  let listening: string | undefined;
  const peopleUrl = (): string => {
    if (listening === undefined) throw new Error("the gateway has not been started");
    return listening;
  };
  const federation =
    config.tier === "federated"
      ? await (
          await import("./federation/index.ts")
        ).composeFederation({
          config,
          secrets: given,
          store,
          sealer,
          clock,
          log,
          localReader,
          embedQuery: embedding?.embedQuery,
          coordination,
          peopleUrl,
        })
      : undefined;
  const ownCertificate = federation && (() => federation.serverCertificate());
  if (federation !== undefined) owned.add(() => federation.stop());
  const reader = federation?.reader ?? localReader;
  const writer = createWriter({ store, sealer, clock });

  const secure = tls !== "off" || publicUrl?.startsWith("https:") === true;
  const betterAuth = createBetterAuth({
    store,
    secret: secrets.authSecret.reveal(),
    clock,
    log,
    secure,
    publicOrigin: publicUrl,
  });
  const { authCookies } = await betterAuth.$context;
  const authenticator = createAuthenticator({
    store,
    betterAuth,
    clock,
    sessionCookieName: authCookies.sessionToken.name,
  });
  const forgetUser = (userId: string): void => {
    authenticator.forgetUser(userId);
    void coordination.publish(USER_CHANGED, userId);
  };
  coordination.subscribe(USER_CHANGED, (userId) => {
    authenticator.forgetUser(userId);
    federation?.forgetUser(userId);
  });
  const apiKeys = createApiKeys({ store, betterAuth, onKeyRemoved: forgetUser });
  const users = createUsers({
    store,
    clock,
    onUserRemoved: async (userId) => await federation?.onUserRemoved(userId),
    onUserChanged: forgetUser,
  });

  const scheme = tls === "off" ? "http" : "https";
  const { app, routes } = await createServer({
    log,
    maxBodyBytes,
    tls: await certificateOf(tls, ownCertificate),
    authenticator,
    publicOrigin: publicUrl,
  });
  registerHealth(app, { store, coordination, audit: federation && (() => federation.auditStatus()) });
  registerSignIn(app, { betterAuth, authenticator });
  registerSetup(app, { limit: new RateLimit(clock), apiKeys, redeem: (claim) => redeemSetupCode(store, clock, claim) });
  registerUsers(app, users);
  registerApiKeys(app, { apiKeys, users });
  registerResources(app, { reader, writer });
  registerTeams(app, createTeams({ store, clock }));
  registerCapabilities(app, reader);
  registerSearch(app, reader);
  registerImport(app, createImporter({ store, writer, clock }));
  registerMcp(app, { reader, writer, federated: federation !== undefined, publicOrigin: publicUrl });
  federation?.routes(app);
  await app.ready();

  owned.add(() => drain(app, drainMs));
  if (tls === "auto" && ownCertificate !== undefined) owned.add(followCertificate(app.server, ownCertificate));

  let stopped: Promise<void> | undefined;
  return {
    app,
    routes,
    store,
    setupCode: await issueSetupCode(store, clock),
    async start() {
      await coordination.schedule({
        name: "housekeeping",
        everyMs: HOUSEKEEPING_MS,
        work: () => keepHouse(store, clock.now()),
      });
      await embedding?.start();
      await federation?.start();
      await app.listen({ host, port }).catch((cause: unknown) => {
        throw gatewayProblem("listener_failed", { detail: `The listener on ${host}:${port} cannot be opened.`, cause });
      });
      listening = publicUrl ?? listenerUrl(scheme, app.server.address() as AddressInfo);
    },
    renewServerCertificate: async () => await federation?.renewServerCertificate(),
    stop: () => (stopped ??= owned.dispose()),
    urls: () => ({
      people: peopleUrl(),
      ...(federation === undefined ? {} : { federation: federation.endpoint() }),
    }),
  };
}
