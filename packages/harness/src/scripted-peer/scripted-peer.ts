import {
  createServer as createPlainServer,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
} from "node:http";
import { createServer, type ServerOptions } from "node:https";
import type { TLSSocket } from "node:tls";
import { newId } from "@mosaicstack/foundation";
import {
  type EnrollmentResponse,
  fingerprintOf,
  formatInvite,
  newToken,
  RENEWAL_GRACE_MS,
  RENEWAL_PATH,
  type RenewalResponse,
  type Row,
  serialOf,
  type Verb,
} from "@mosaicstack/federation-protocol";
import type { Relay } from "../relay.ts";
import { enroll, publishCrl } from "./enrolling.ts";
import { listen } from "./listening.ts";
import { createQuerying } from "./querying.ts";
import { createRenewing } from "./renewing.ts";
import {
  type ClientCertificateWishes,
  createScriptedAuthority,
  type KeyAndCertificate,
  type RevocationListWishes,
  type ScriptedAuthority,
} from "./scripted-authority.ts";
import { registerGrant, type ScriptedGrant } from "./scripted-grant.ts";

/** What a test makes the other side do instead of answering. */
export type Misbehaviour = (request: IncomingMessage, response: ServerResponse) => void;

export interface ReceivedQuery {
  readonly verb: Verb;
  readonly body: Record<string, unknown>;
  /** Of the client certificate the TLS socket brought. */
  readonly serial: string;
  /** How many queries this socket had brought before. */
  readonly earlierOnSocket: number;
}

export interface ReceivedRenewal {
  readonly grantId: string;
  /** Of the client certificate the TLS socket brought. */
  readonly serial: string;
  /** Of the key asked for. */
  readonly spki: string;
}

/** A serving side, with real TLS on two ports, that answers honestly until a test says otherwise. Whoever starts it stops it. */
export interface ScriptedPeer {
  readonly authority: ScriptedAuthority;
  /** What new invites are for. */
  grantId: string;
  subjectUserId: string;
  readonly grants: Map<string, ScriptedGrant>;
  /** Its clock: what it issues by, refuses by, and writes in `date`. */
  now: () => Date;
  /** Of the client certificates it issues. */
  lifetimeMs: number;
  /** How long an honest answer to a query, or a renewal, takes. */
  queryDelayMs: number;
  /** The most renewals that were under way at once. */
  mostRenewals: number;
  readonly renewals: ReceivedRenewal[];
  /** Renewals that looked like a stolen key. */
  clones: number;
  onRenewal: Misbehaviour | undefined;
  /** Cuts the connection after the next certificate is issued, in place of the answer. */
  losesRenewal: boolean;
  /** Changes an honest renewal's answer. */
  alterRenewal: (answer: RenewalResponse) => RenewalResponse;
  /** Serials that connections are cut for, without a word. */
  readonly cutSerials: Set<string>;
  /** What its CRL says; its serials are those of `cutSerials` where they are left out. */
  crl: Partial<RevocationListWishes>;
  onCrl: Misbehaviour | undefined;
  crlRequests: number;
  readonly crlUrl: string;
  readonly endpoint: string;
  readonly enrollUrl: string;
  /** The token of each invite: the key it is claimed for, and whether it is used up. */
  readonly tokens: Map<string, { claimedBy: string | undefined; consumed: boolean; grantId?: string }>;
  readonly queries: ReceivedQuery[];
  /** Bodies that reached the enrollment address. */
  readonly enrollments: string[];
  /** What `list` gives, in any order. */
  rows: Row[];
  /** The most rows `list` gives, as a scope's cap does. */
  cap: number;
  onQuery: Misbehaviour | undefined;
  onEnrollment: Misbehaviour | undefined;
  /** Changes an honest enrollment's answer. */
  alterAnswer: (answer: EnrollmentResponse) => EnrollmentResponse;
  /** Cuts the connection after the certificate is issued, in place of the answer. */
  losesAnswer: boolean;
  /** Changes what the client certificate is issued as. */
  certificateWishes: Partial<ClientCertificateWishes>;
  invite(): string;
  /** Makes another grant, which new invites are for. */
  newGrant(): ScriptedGrant;
  grant(): ScriptedGrant;
  /** What new connections of the query listener are shown; without an argument the one it began with. */
  presentCertificate(certificate?: KeyAndCertificate): void;
  /** TCP RST on every connection of the query listener. */
  resetQuerySockets(): void;
  openQuerySockets(): number;
  stop(): Promise<void>;
}

export interface ScriptedPeerOptions {
  readonly authority?: ScriptedAuthority;
  /** Of the query listener; default: an honest one. */
  readonly server?: KeyAndCertificate;
  /** Of the enrollment listener; default: an honest one with the root in its chain. `plain`: HTTP. */
  readonly enrollmentServer?: KeyAndCertificate | "plain";
  readonly tls?: ServerOptions;
  /** In front of the query listener: what is enrolled dials this. */
  readonly relay?: Relay;
}

export async function startScriptedPeer(options: ScriptedPeerOptions = {}): Promise<ScriptedPeer> {
  const authority = options.authority ?? (await createScriptedAuthority());
  const own = await authority.server();
  const { key: enrollKey, cert: enrollCert } = { ...own, cert: own.cert + authority.rootPem };

  const onQuery: RequestListener = (request, response) => {
    dated(response);
    const isRenewal = request.url === RENEWAL_PATH;
    const misbehave = isRenewal ? peer.onRenewal : peer.onQuery;
    const certificate = (request.socket as TLSSocket).getPeerX509Certificate();
    const isCut = peer.cutSerials.size > 0 && certificate !== undefined;
    if (isCut && peer.cutSerials.has(serialOf(certificate))) request.socket.destroy();
    else if (misbehave !== undefined) misbehave(request, response);
    else void (isRenewal ? renew(request, response) : serveQuery(request, response)).catch(() => response.destroy());
  };

  function dated(response: ServerResponse): void {
    response.sendDate = false;
    response.setHeader("date", peer.now().toUTCString());
  }

  const onEnrollment: RequestListener = (request, response) => {
    dated(response);
    if (request.url === "/federation/crl") void publishCrl(peer, request, response);
    else if (request.method === "HEAD") response.writeHead(405).end();
    else if (peer.onEnrollment !== undefined) peer.onEnrollment(request, response);
    else void enroll(peer, request, response);
  };

  const presented = options.server ?? own;
  const secured = {
    ca: authority.rootPem,
    requestCert: true,
    // Judged below, by this peer's clock and not the machine's.
    rejectUnauthorized: false,
    minVersion: "TLSv1.3",
    ...options.tls,
  } as const;
  const queryServer = createServer({ ...presented, ...secured }, onQuery);
  queryServer.on("secureConnection", (socket: TLSSocket) => {
    const certificate = socket.getPeerX509Certificate();
    const fault = socket.authorized ? undefined : String(socket.authorizationError);
    const isTrusted = fault === undefined || fault === "CERT_HAS_EXPIRED" || fault === "CERT_NOT_YET_VALID";
    if (certificate === undefined || !isTrusted) return void socket.destroy();
    const now = peer.now().getTime();
    const isEarly = new Date(certificate.validFrom).getTime() > now;
    const isLate = new Date(certificate.validTo).getTime() + RENEWAL_GRACE_MS < now;
    if (isEarly || isLate || peer.cutSerials.has(serialOf(certificate))) socket.destroy();
  });
  const enrollment = options.enrollmentServer ?? { key: enrollKey, cert: enrollCert };
  const enrollServer =
    enrollment === "plain" ? createPlainServer(onEnrollment) : createServer(enrollment, onEnrollment);
  const [query, enrolling] = await Promise.all([listen(queryServer), listen(enrollServer)]);
  options.relay?.target(query.port);

  const people = `${enrollment === "plain" ? "http" : "https"}://localhost:${enrolling.port}`;
  const peer: ScriptedPeer = {
    authority,
    grantId: newId(),
    subjectUserId: newId(),
    grants: new Map(),
    now: () => new Date(),
    lifetimeMs: 7 * 86_400_000,
    queryDelayMs: 0,
    mostRenewals: 0,
    renewals: [],
    clones: 0,
    onRenewal: undefined,
    losesRenewal: false,
    alterRenewal: (answer) => answer,
    cutSerials: new Set(),
    crl: {},
    onCrl: undefined,
    crlRequests: 0,
    crlUrl: `${people}/federation/crl`,
    endpoint: `https://localhost:${options.relay?.port ?? query.port}`,
    enrollUrl: `${people}/enroll`,
    tokens: new Map(),
    queries: [],
    enrollments: [],
    rows: [],
    cap: 200,
    onQuery: undefined,
    onEnrollment: undefined,
    alterAnswer: (answer) => answer,
    losesAnswer: false,
    certificateWishes: {},
    newGrant() {
      [peer.grantId, peer.subjectUserId] = [newId(), newId()];
      return registerGrant(peer);
    },
    grant: () => peer.grants.get(peer.grantId) ?? registerGrant(peer),
    invite() {
      const token = newToken();
      peer.tokens.set(token, { claimedBy: undefined, consumed: false, grantId: peer.grant().id });
      return formatInvite({ enrollUrl: peer.enrollUrl, token, caFingerprint: fingerprintOf(authority.rootPem) });
    },
    presentCertificate: (certificate = presented) => queryServer.setSecureContext({ ...certificate, ...secured }),
    resetQuerySockets() {
      for (const socket of query.sockets) socket.resetAndDestroy();
    },
    openQuerySockets: () => query.sockets.size,
    async stop() {
      await Promise.all([query.stop(), enrolling.stop()]);
    },
  };
  const renew = createRenewing(peer);
  const serveQuery = createQuerying(peer);
  return peer;
}
