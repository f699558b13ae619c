import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { EmbeddedFederatedConfig, FederatedConfig, GivenSecrets } from "@mosaicstack/config";
import { fingerprintOf, type Reader } from "@mosaicstack/federation-protocol";
import { createBlendedReader, createPeers } from "@mosaicstack/federation-client";
import {
  createCertificates,
  createEnrollment,
  createEnrollmentLimits,
  createGrantAnnouncer,
  createGrants,
  createLastUses,
  createListener,
  createLiveSockets,
  createRenewal,
} from "@mosaicstack/federation-server";
import type { Coordination } from "@mosaicstack/coordination";
import type { Clock } from "@mosaicstack/foundation";
import type { AuditQueueStatus, Sealer, Store } from "@mosaicstack/storage";
import type { FastifyBaseLogger, FastifyInstance } from "fastify";
import { listenerUrl } from "../http/listener-url.ts";
import type { EmbedQuery } from "../reading/local-search.ts";
import { openAudit } from "./audit.ts";
import { auditRoutes } from "./audit-routes.ts";
import { openAuthority, openServerCertificate } from "./authority.ts";
import { authorityRoute } from "./authority-route.ts";
import { CRL_PATH, crlRoute } from "./crl-route.ts";
import { enrollmentRoutes } from "./enrollment-routes.ts";
import { composeGrantDuties } from "./grant-duties.ts";
import { grantRoutes } from "./grant-routes.ts";
import { peerRoutes } from "./peer-routes.ts";
import { localSource } from "./local-source.ts";
import { watchSecondWall } from "./wall-watch.ts";

/** Both sides of federation in one gateway: it serves its own peers, and reads from those of its users. */
export interface Federation {
  /** Reads over local rows and the user's peers. */
  readonly reader: Reader;
  /** REST under /api/v1/federation, and the enrollment of new peers. */
  routes(app: FastifyInstance): void;
  onUserRemoved(userId: string): Promise<void>;
  /** Another replica changed or removed the user: what is kept here of theirs is read anew. */
  forgetUser(userId: string): void;
  /** For the people listener's `tls: auto`. */
  serverCertificate(): { readonly cert: string; readonly key: string };
  /** Makes the next one now rather than when it is due. @throws Problem of the authority; the current one stays then */
  renewServerCertificate(): Promise<void>;
  /** Whether requests are recorded, and what is missing. */
  auditStatus(): AuditQueueStatus;
  /** Opens the mTLS listener. */
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Where this gateway answers peers: `https://host:port`. */
  endpoint(): string;
}

const RENEW_PEERS_MS = 60_000;

export async function composeFederation(dependencies: {
  readonly config: EmbeddedFederatedConfig | FederatedConfig;
  readonly secrets: GivenSecrets;
  readonly store: Store;
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly log: FastifyBaseLogger;
  readonly localReader: Reader;
  /** Absent: no embedding provider is configured. */
  readonly embedQuery: EmbedQuery | undefined;
  readonly coordination: Coordination;
  /** Where people reach this gateway, and invites are redeemed; known once it listens. */
  readonly peopleUrl: () => string;
}): Promise<Federation> {
  const { config, secrets, store, sealer, clock, log, localReader, coordination } = dependencies;
  const settings = config.federation;
  const authority = await openAuthority({ config: config.certificateAuthority, secrets, store, sealer, clock });
  const urls = [config.http.publicUrl, settings.publicUrl];
  const serverCertificate = await openServerCertificate({ authority, store, sealer, clock, log, urls });
  let address: AddressInfo | undefined;
  let endWatch: (() => void) | undefined;
  const endpoint = (): string => {
    if (settings.publicUrl !== undefined) return settings.publicUrl;
    if (address === undefined) throw new Error("the gateway has not been started");
    return listenerUrl("https", address);
  };

  const audit = await openAudit({ store, sealer, clock, log });
  const liveSockets = createLiveSockets();
  const announcer = createGrantAnnouncer({ liveSockets, coordination });
  const { certificateLifetimeDays } = settings;
  const certificates = createCertificates({ store, clock, authority, certificateLifetimeDays });
  const crlUrl = () => `${dependencies.peopleUrl()}${CRL_PATH}`;
  const enrollment = createEnrollment({ store, clock, certificates, endpoint, crlUrl, limits: coordination.limits });
  const renewal = createRenewal({ store, clock, certificates, endpoint });
  const lastUses = createLastUses({ clock });
  const grants = createGrants({
    store,
    clock,
    liveSockets,
    coordination,
    lastUses,
    inviteLifetimeMinutes: settings.inviteLifetimeMinutes,
    enrollUrl: () => `${dependencies.peopleUrl()}/enroll`,
    caFingerprint: fingerprintOf(authority.rootPem),
  });
  const listener = createListener({
    host: settings.host,
    port: settings.port,
    certificate: serverCertificate.current(),
    rootPem: authority.rootPem,
    store,
    clock,
    maxRowsPerQuery: settings.maxRowsPerQuery,
    embedQuery: dependencies.embedQuery,
    liveSockets,
    certificates,
    renewal,
    announcer,
    limits: coordination.limits,
    auditQueue: audit.queue,
    record(entry) {
      if (entry.outcome === "ok" && entry.grantId !== null) lastUses.note(entry.grantId);
      // What was answered is in the audit; the log, which is written while the peer waits, has what was refused.
      const level = entry.outcome === "ok" ? "debug" : "info";
      log[level]({ federation: entry }, "peer request");
    },
  });
  const duties = composeGrantDuties({
    store,
    clock,
    log,
    authority,
    liveSockets,
    announcer,
    coordination,
    // A backup of the database alone does not take it back.
    ...(config.embedded ? { crlCopyPath: join(config.dataDirectory, "crl.pem") } : {}),
  });
  const peers = createPeers({
    store,
    sealer,
    clock,
    audit: audit.queue,
    alert({ peerId, userId, name, from, to, code }) {
      const changed = { peerId, userId, peer: name, from, to, code };
      if (to === "active") log.info(changed, "a peer works again");
      else log.warn(changed, "a peer needs to be looked at");
    },
  });
  const reader = createBlendedReader({
    local: localReader,
    localSource: (userId) => localSource(localReader, userId),
    peers,
    deadlineMs: settings.deadlineMs,
  });

  serverCertificate.onRenewed((renewed) => listener.present(renewed));

  return {
    reader,
    routes(app) {
      enrollmentRoutes(app, { enrollment, limits: createEnrollmentLimits(coordination.limits) });
      grantRoutes(app, { grants });
      auditRoutes(app, { audit, store, peers });
      peerRoutes(app, { peers, grants, endpoint, clock, auditStatus: () => audit.queue.status() });
      crlRoute(app, duties);
      authorityRoute(app, { config: config.certificateAuthority, rootPem: authority.rootPem, duties });
    },
    async onUserRemoved(userId) {
      peers.forgetUser(userId);
      await grants.revokeAllOf(userId);
    },
    forgetUser: (userId) => peers.forgetUser(userId),
    serverCertificate: () => serverCertificate.current(),
    auditStatus: () => audit.queue.status(),
    renewServerCertificate: () => serverCertificate.renew(),
    async start() {
      serverCertificate.start();
      await duties.start();
      await coordination.schedule({
        name: "peer-renewal",
        everyMs: RENEW_PEERS_MS,
        work: async () => void (await peers.renewDuePeers()),
      });
      address = await listener.start();
      endWatch = watchSecondWall({ store, log });
    },
    async stop() {
      endWatch?.();
      await Promise.all([serverCertificate.stop(), listener.stop(), peers.close(), duties.stop()]);
      // What was recorded until now is written, while there is a database still.
      await audit.close();
    },
    endpoint,
  };
}
