import { X509Certificate } from "node:crypto";
import {
  createServer as createPlainServer,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
} from "node:http";
import { createServer, type ServerOptions } from "node:https";
import type { AddressInfo, Server, Socket } from "node:net";
import { setTimeout } from "node:timers/promises";
import type { TLSSocket } from "node:tls";
import { newId } from "@mosaicstack/foundation";
import {
  type EnrollmentResponse,
  type RenewalResponse,
  enrollmentRequestSchema,
  federationProblem,
  fingerprintOf,
  formatInvite,
  type IdentityReading,
  type ListRequest,
  newToken,
  readCertificateIdentity,
  readSigningRequest,
  RENEWAL_GRACE_MS,
  RENEWAL_PATH,
  renewalRequestSchema,
  renewalWindow,
  type Row,
  serialOf,
  spkiOf,
  type Verb,
} from "@mosaicstack/federation-protocol";
import {
  type ClientCertificateWishes,
  createTestAuthority,
  type KeyAndCertificate,
  type RevocationListWishes,
  type TestAuthority,
} from "./test-authority.ts";

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

/** One certificate of a grant. */
interface IssuedHere {
  readonly pem: string;
  readonly serial: string;
  readonly spki: string;
  readonly generation: number;
  readonly notBefore: Date;
  readonly notAfter: Date;
  supersededAt: number | undefined;
}

/** A grant, as the serving side has it. */
export interface TestGrant {
  readonly id: string;
  readonly subjectUserId: string;
  status: "active" | "suspended" | "revoked" | "expired";
  /** The generation claimed last, and the key it was claimed for. */
  generation: number;
  spki: string | undefined;
  readonly certificates: IssuedHere[];
}

export interface ReceivedRenewal {
  readonly grantId: string;
  /** Of the client certificate the TLS socket brought. */
  readonly serial: string;
  /** Of the key asked for. */
  readonly spki: string;
}

/** A serving side, with real TLS on two ports, that answers honestly until a test says otherwise. */
export interface TestGateway {
  readonly authority: TestAuthority;
  /** What new invites are for. */
  grantId: string;
  subjectUserId: string;
  readonly grants: Map<string, TestGrant>;
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
  newGrant(): TestGrant;
  grant(): TestGrant;
  /** TCP RST on every connection of the query listener. */
  resetQuerySockets(): void;
  openQuerySockets(): number;
  stop(): Promise<void>;
}

export async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

export function answerJson(response: ServerResponse, body: unknown, status = 200): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

export interface Listening {
  readonly port: number;
  readonly sockets: Set<Socket>;
  stop(): Promise<void>;
}

/** Opens a server on a free port; stopping it cuts every socket. */
export async function listen(server: Server): Promise<Listening> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    sockets,
    async stop() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

function answerProblem(response: ServerResponse, code: keyof typeof federationProblem.table): void {
  const { details, status } = federationProblem(code);
  response.writeHead(status, { "content-type": "application/problem+json" }).end(JSON.stringify(details));
}

export async function startTestGateway(
  options: {
    readonly authority?: TestAuthority;
    /** Of the query listener; default: an honest one. */
    readonly server?: KeyAndCertificate;
    /** Of the enrollment listener; default: an honest one with the root in its chain. `plain`: HTTP. */
    readonly enrollmentServer?: KeyAndCertificate | "plain";
    readonly tls?: ServerOptions;
  } = {},
): Promise<TestGateway> {
  const authority = options.authority ?? (await createTestAuthority());
  const own = await authority.server();
  const { key: enrollKey, cert: enrollCert } = { ...own, cert: own.cert + authority.rootPem };
  const served = new WeakMap<object, number>();
  /** Read once a socket: tests with a short deadline ask a lot. */
  const identities = new WeakMap<object, IdentityReading>();
  let renewalsUnderWay = 0;

  const onQuery: RequestListener = (request, response) => {
    dated(response);
    const isRenewal = request.url === RENEWAL_PATH;
    const misbehave = isRenewal ? gateway.onRenewal : gateway.onQuery;
    const certificate = (request.socket as TLSSocket).getPeerX509Certificate();
    const isCut = gateway.cutSerials.size > 0 && certificate !== undefined;
    if (isCut && gateway.cutSerials.has(serialOf(certificate))) request.socket.destroy();
    else if (misbehave !== undefined) misbehave(request, response);
    else void (isRenewal ? renew(request, response) : serveQuery(request, response)).catch(() => response.destroy());
  };

  function dated(response: ServerResponse): void {
    response.sendDate = false;
    response.setHeader("date", gateway.now().toUTCString());
  }

  /** Who asks, and with which of the certificates issued here. */
  function presented(request: IncomingMessage) {
    const certificate = (request.socket as TLSSocket).getPeerX509Certificate();
    if (certificate === undefined) throw new Error("no client certificate arrived");
    const identity = identities.get(request.socket) ?? readCertificateIdentity(certificate.raw);
    if (identity.kind === "malformed") throw new Error(identity.reason);
    identities.set(request.socket, identity);
    const grant = gateway.grants.get(identity.grantId);
    const serial = serialOf(certificate);
    return { certificate, identity, grant, serial, issued: grant?.certificates.find((one) => one.serial === serial) };
  }

  function refusalOf(grant: TestGrant | undefined): keyof typeof federationProblem.table | undefined {
    if (grant === undefined || grant.status === "active") return undefined;
    return `grant_${grant.status}`;
  }

  async function issueFor(grant: TestGrant, csr: string): Promise<IssuedHere> {
    const now = gateway.now().getTime();
    const wishes = {
      grantId: grant.id,
      subjectUserId: grant.subjectUserId,
      notBefore: new Date(now - 60_000),
      notAfter: new Date(now + gateway.lifetimeMs),
      ...gateway.certificateWishes,
    };
    const pem = await authority.client(csr, wishes);
    const certificate = new X509Certificate(pem);
    return {
      pem,
      serial: serialOf(certificate),
      spki: spkiOf(certificate),
      generation: grant.generation,
      notBefore: new Date(certificate.validFrom),
      notAfter: new Date(certificate.validTo),
      supersededAt: undefined,
    };
  }

  function windowOf({ notBefore, notAfter }: IssuedHere) {
    const { from, until } = renewalWindow(notBefore, notAfter);
    return { from: from.toISOString(), until: until.toISOString() };
  }

  /** The same key again gets the same certificate; another one from a superseded generation is a clone's (trust decision 7). */
  async function renew(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { csr } = renewalRequestSchema.parse(JSON.parse(await readBody(request)));
    const { grant, serial, issued } = presented(request);
    if (grant === undefined || issued === undefined) return answerProblem(response, "grant_unknown");
    const key = await readSigningRequest(csr);
    if (key.kind === "malformed") return answerProblem(response, "signing_request_invalid");
    const spki = key.spkiSha256;
    gateway.renewals.push({ grantId: grant.id, serial, spki });
    renewalsUnderWay += 1;
    gateway.mostRenewals = Math.max(gateway.mostRenewals, renewalsUnderWay);
    if (gateway.queryDelayMs > 0) await setTimeout(gateway.queryDelayMs);
    renewalsUnderWay -= 1;
    if (issued.notAfter.getTime() + RENEWAL_GRACE_MS < gateway.now().getTime()) {
      return answerProblem(response, "grant_expired");
    }
    const refusal = refusalOf(grant);
    if (refusal !== undefined) return answerProblem(response, refusal);
    let next = grant.certificates.find((one) => one.spki === spki);
    if (next === undefined) {
      if (grant.generation === issued.generation) {
        grant.generation += 1;
        grant.spki = spki;
      } else if (grant.spki !== spki) {
        gateway.clones += 1;
        grant.status = "suspended";
        return answerProblem(response, "grant_suspended");
      }
      next = await issueFor(grant, csr);
      grant.certificates.push(next);
    }
    const answer: RenewalResponse = {
      certificate: next.pem,
      chain: [...authority.chainPem],
      generation: next.generation,
      renew: windowOf(next),
      endpoint: gateway.endpoint,
    };
    if (gateway.losesRenewal) return void response.destroy();
    return answerJson(response, gateway.alterRenewal(answer));
  }

  async function serveQuery(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = JSON.parse(await readBody(request)) as Record<string, unknown>;
    const { certificate, identity, grant, serial, issued } = presented(request);
    const earlierOnSocket = served.get(request.socket) ?? 0;
    served.set(request.socket, earlierOnSocket + 1);
    const verb = request.url?.split("/").at(-1) as Verb;
    gateway.queries.push({ verb, body, serial, earlierOnSocket });
    const spki = spkiOf(certificate);
    for (const token of gateway.tokens.values()) if (token.claimedBy === spki) token.consumed = true;
    const refusal = refusalOf(grant);
    if (refusal !== undefined) return answerProblem(response, refusal);
    const now = gateway.now().getTime();
    if (issued !== undefined) {
      if (issued.notAfter.getTime() <= now) return answerProblem(response, "grant_expired");
      if (now > (issued.supersededAt ?? now) + 60_000) return answerProblem(response, "certificate_superseded");
      // Its first use ends those before it.
      for (const one of grant?.certificates ?? []) if (one.generation < issued.generation) one.supersededAt ??= now;
    }
    if (gateway.queryDelayMs > 0) await setTimeout(gateway.queryDelayMs);
    if (verb === "list") return answerJson(response, listAnswer(body as ListRequest));
    if (verb === "capabilities") return answerJson(response, capabilities(identity));
    const row = gateway.rows.find(({ id }) => id === body["id"]);
    return row === undefined ? answerProblem(response, "row_not_found") : answerJson(response, { row });
  }

  function listAnswer({ before, limit }: ListRequest) {
    const left = gateway.rows
      .filter(({ id }) => before === undefined || id < before)
      .toSorted((one, other) => (one.id < other.id ? 1 : -1));
    const used = Math.min(limit, gateway.cap);
    return { rows: left.slice(0, used), more: left.length > used, limit: used };
  }

  const capabilities = ({ grantId, subjectUserId }: { grantId: string; subjectUserId: string }) => ({
    protocol: 1,
    grant: { id: grantId, name: "home", expires_at: null },
    subject: { id: subjectUserId, name: "Ada" },
    resources: [{ name: "tasks", verbs: ["list", "get"], filters: [] }],
    max_rows_per_query: 200,
    include_personal: true,
    include_teams: "all",
  });

  const onEnrollment: RequestListener = (request, response) => {
    dated(response);
    if (request.url === "/federation/crl") void publish(request, response);
    else if (request.method === "HEAD") response.writeHead(405).end();
    else if (gateway.onEnrollment !== undefined) gateway.onEnrollment(request, response);
    else void enroll(request, response);
  };

  async function publish(request: IncomingMessage, response: ServerResponse): Promise<void> {
    gateway.crlRequests += 1;
    if (gateway.onCrl !== undefined) return gateway.onCrl(request, response);
    const now = gateway.now().getTime();
    const list = await authority.revocationList({
      serials: [...gateway.cutSerials],
      number: 1,
      thisUpdate: new Date(now - 60_000),
      nextUpdate: new Date(now + 3_600_000),
      ...gateway.crl,
    });
    response.writeHead(200, { "content-type": "application/pkix-crl" }).end(list);
  }

  /** One token, one key: the same key may come again until its first query (trust decision 2). */
  async function enroll(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const text = await readBody(request);
    gateway.enrollments.push(text);
    const { token, csr } = enrollmentRequestSchema.parse(JSON.parse(text));
    const state = gateway.tokens.get(token);
    const grant = gateway.grants.get(state?.grantId ?? "") ?? gateway.grant();
    const key = await readSigningRequest(csr);
    if (key.kind === "malformed") return answerProblem(response, "signing_request_invalid");
    const spki = key.spkiSha256;
    if (state === undefined || state.consumed || (state.claimedBy ?? spki) !== spki) {
      return answerProblem(response, "enrollment_refused");
    }
    state.claimedBy = spki;
    let issued = grant.certificates.find((one) => one.spki === spki);
    if (issued === undefined) {
      grant.generation += 1;
      grant.spki = spki;
      issued = await issueFor(grant, csr);
      grant.certificates.push(issued);
    }
    const answer = {
      certificate: issued.pem,
      chain: [...authority.chainPem],
      root: authority.rootPem,
      endpoint: gateway.endpoint,
      generation: issued.generation,
      renew: windowOf(issued),
      crl_url: gateway.crlUrl,
      grant: { id: grant.id, name: "home", subject_user_id: grant.subjectUserId, expires_at: null },
    };
    if (gateway.losesAnswer) return void response.destroy();
    return answerJson(response, gateway.alterAnswer(answer));
  }

  const queryServer = createServer(
    {
      ...(options.server ?? own),
      ca: authority.rootPem,
      requestCert: true,
      // Judged below, by this gateway's clock and not the machine's.
      rejectUnauthorized: false,
      minVersion: "TLSv1.3",
      ...options.tls,
    },
    onQuery,
  );
  queryServer.on("secureConnection", (socket: TLSSocket) => {
    const certificate = socket.getPeerX509Certificate();
    const fault = socket.authorized ? undefined : String(socket.authorizationError);
    const isTrusted = fault === undefined || fault === "CERT_HAS_EXPIRED" || fault === "CERT_NOT_YET_VALID";
    if (certificate === undefined || !isTrusted) return void socket.destroy();
    const now = gateway.now().getTime();
    const isEarly = new Date(certificate.validFrom).getTime() > now;
    const isLate = new Date(certificate.validTo).getTime() + RENEWAL_GRACE_MS < now;
    if (isEarly || isLate || gateway.cutSerials.has(serialOf(certificate))) socket.destroy();
  });
  const enrollment = options.enrollmentServer ?? { key: enrollKey, cert: enrollCert };
  const enrollServer =
    enrollment === "plain" ? createPlainServer(onEnrollment) : createServer(enrollment, onEnrollment);
  const [query, enrolling] = await Promise.all([listen(queryServer), listen(enrollServer)]);

  const gateway: TestGateway = {
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
    crlUrl: `${enrollment === "plain" ? "http" : "https"}://localhost:${enrolling.port}/federation/crl`,
    endpoint: `https://localhost:${query.port}`,
    enrollUrl: `${enrollment === "plain" ? "http" : "https"}://localhost:${enrolling.port}/enroll`,
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
      [gateway.grantId, gateway.subjectUserId] = [newId(), newId()];
      return register();
    },
    grant: () => gateway.grants.get(gateway.grantId) ?? register(),
    invite() {
      const token = newToken();
      gateway.tokens.set(token, { claimedBy: undefined, consumed: false, grantId: gateway.grant().id });
      return formatInvite({ enrollUrl: gateway.enrollUrl, token, caFingerprint: fingerprintOf(authority.rootPem) });
    },
    resetQuerySockets() {
      for (const socket of query.sockets) socket.resetAndDestroy();
    },
    openQuerySockets: () => query.sockets.size,
    async stop() {
      await Promise.all([query.stop(), enrolling.stop()]);
    },
  };
  function register(): TestGrant {
    const { grantId: id, subjectUserId } = gateway;
    const grant: TestGrant = { id, subjectUserId, status: "active", generation: 0, spki: undefined, certificates: [] };
    gateway.grants.set(id, grant);
    return grant;
  }
  return gateway;
}
