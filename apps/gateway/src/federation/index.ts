import type { AddressInfo } from "node:net";
import type { EmbeddedFederatedConfig, FederatedConfig } from "@mosaicstack/config";
import { fingerprintOf, type Reader } from "@mosaicstack/federation-protocol";
import { createBlendedReader, createPeers } from "@mosaicstack/federation-client";
import {
  createEnrollment,
  createGrants,
  createListener,
  createLiveSockets,
  issueServerCertificate,
  openStoredAuthority,
} from "@mosaicstack/federation-server";
import type { Clock } from "@mosaicstack/foundation";
import type { Sealer, Store } from "@mosaicstack/storage";
import type { FastifyBaseLogger, FastifyInstance } from "fastify";
import { listenerUrl } from "../http/listener-url.ts";
import { enrollmentRoutes } from "./enrollment-routes.ts";
import { grantRoutes } from "./grant-routes.ts";
import { peerRoutes } from "./peer-routes.ts";
import { localSource } from "./local-source.ts";

/** Both sides of federation in one gateway: it serves its own peers, and reads from those of its users. */
export interface Federation {
  /** Reads over local rows and the user's peers. */
  readonly reader: Reader;
  /** REST under /api/v1/federation, and the enrollment of new peers. */
  routes(app: FastifyInstance): void;
  onUserRemoved(userId: string): Promise<void>;
  /** For the people listener's `tls: auto`. */
  serverCertificate(): { readonly cert: string; readonly key: string };
  /** Opens the mTLS listener. */
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Where this gateway answers peers: `https://host:port`. */
  endpoint(): string;
}

const renewalCheckMs = 3_600_000;

export async function composeFederation(dependencies: {
  readonly config: EmbeddedFederatedConfig | FederatedConfig;
  readonly store: Store;
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly log: FastifyBaseLogger;
  readonly localReader: Reader;
  /** Where people reach this gateway, and invites are redeemed; known once it listens. */
  readonly peopleUrl: () => string;
}): Promise<Federation> {
  const { config, store, sealer, clock, log, localReader } = dependencies;
  const settings = config.federation;
  const authority = await openStoredAuthority({ store, sealer, clock });
  const hostnames = [config.http.publicUrl, settings.publicUrl].flatMap((url) =>
    url === undefined ? [] : [hostnameOf(url)],
  );
  let certificate = await issueServerCertificate(authority, clock, hostnames);
  let address: AddressInfo | undefined;
  const endpoint = (): string => {
    if (settings.publicUrl !== undefined) return settings.publicUrl;
    if (address === undefined) throw new Error("the gateway has not been started");
    return listenerUrl("https", address);
  };

  const liveSockets = createLiveSockets();
  const enrollment = createEnrollment({
    store,
    clock,
    authority,
    liveSockets,
    certificateLifetimeDays: settings.certificateLifetimeDays,
    endpoint,
  });
  const grants = createGrants({
    store,
    clock,
    liveSockets,
    inviteLifetimeMinutes: settings.inviteLifetimeMinutes,
    enrollUrl: () => `${dependencies.peopleUrl()}/enroll`,
    caFingerprint: fingerprintOf(authority.rootPem),
  });
  const listener = createListener({
    host: settings.host,
    port: settings.port,
    certificate,
    rootPem: authority.rootPem,
    store,
    clock,
    maxRowsPerQuery: settings.maxRowsPerQuery,
    liveSockets,
    enrollment,
    record: (entry) => log.info({ federation: entry }, "peer request"),
  });
  const peers = createPeers({ store, sealer, clock });
  const reader = createBlendedReader({
    local: localReader,
    localSource: (userId) => localSource(localReader, userId),
    peers,
    deadlineMs: settings.deadlineMs,
  });

  const renewal = setInterval(() => {
    if (clock.now() < certificate.renewAt) return;
    issueServerCertificate(authority, clock, hostnames).then(
      (renewed) => {
        certificate = renewed;
        listener.present(renewed);
      },
      (error: unknown) => log.error({ err: error }, "the server certificate could not be renewed"),
    );
  }, renewalCheckMs);
  renewal.unref();

  return {
    reader,
    routes(app) {
      enrollmentRoutes(app, { enrollment });
      grantRoutes(app, { grants });
      peerRoutes(app, { peers, grants, endpoint });
    },
    onUserRemoved: (userId) => grants.revokeAllOf(userId),
    serverCertificate: () => certificate,
    async start() {
      address = await listener.start();
    },
    async stop() {
      clearInterval(renewal);
      await Promise.all([listener.stop(), peers.close()]);
    },
    endpoint,
  };
}

function hostnameOf(url: string): string {
  return new URL(url).hostname.replace(/^\[(.*)\]$/, "$1");
}
