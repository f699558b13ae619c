import { X509Certificate } from "node:crypto";
import {
  createServer as createPlainServer,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
} from "node:http";
import { createServer, type ServerOptions } from "node:https";
import type { AddressInfo, Server, Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { newId } from "@mosaicstack/foundation";
import {
  type EnrollmentResponse,
  enrollmentRequestSchema,
  federationProblem,
  fingerprintOf,
  formatInvite,
  type ListRequest,
  newToken,
  type Row,
  serialOf,
  spkiOf,
  type Verb,
} from "@mosaicstack/federation-protocol";
import {
  type ClientCertificateWishes,
  createTestAuthority,
  type KeyAndCertificate,
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

/** A serving side, with real TLS on two ports, that answers honestly until a test says otherwise. */
export interface TestGateway {
  readonly authority: TestAuthority;
  readonly grantId: string;
  readonly subjectUserId: string;
  readonly endpoint: string;
  readonly enrollUrl: string;
  /** The token of each invite: the key it is claimed for, and whether it is used up. */
  readonly tokens: Map<string, { claimedBy: string | undefined; consumed: boolean }>;
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
  /** TCP RST on every connection of the query listener. */
  resetQuerySockets(): void;
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

  const onQuery: RequestListener = (request, response) => {
    if (gateway.onQuery !== undefined) gateway.onQuery(request, response);
    else void serveQuery(request, response);
  };

  async function serveQuery(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = JSON.parse(await readBody(request)) as Record<string, unknown>;
    const certificate = (request.socket as TLSSocket).getPeerX509Certificate();
    if (certificate === undefined) throw new Error("no client certificate arrived");
    const earlierOnSocket = served.get(request.socket) ?? 0;
    served.set(request.socket, earlierOnSocket + 1);
    const verb = request.url?.split("/").at(-1) as Verb;
    gateway.queries.push({ verb, body, serial: serialOf(certificate), earlierOnSocket });
    const spki = spkiOf(certificate);
    for (const token of gateway.tokens.values()) if (token.claimedBy === spki) token.consumed = true;
    if (verb === "list") return answerJson(response, listAnswer(body as ListRequest));
    if (verb === "capabilities") return answerJson(response, capabilities());
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

  const capabilities = () => ({
    protocol: 1,
    grant: { id: gateway.grantId, name: "home", expires_at: null },
    subject: { id: gateway.subjectUserId, name: "Ada" },
    resources: [{ name: "tasks", verbs: ["list", "get"], filters: [] }],
    max_rows_per_query: 200,
    include_personal: true,
    include_teams: "all",
  });

  const onEnrollment: RequestListener = (request, response) => {
    if (gateway.onEnrollment !== undefined) gateway.onEnrollment(request, response);
    else void enroll(request, response);
  };

  /** One token, one key: the same key may come again until its first query (trust decision 2). */
  async function enroll(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const text = await readBody(request);
    gateway.enrollments.push(text);
    const { token, csr } = enrollmentRequestSchema.parse(JSON.parse(text));
    const { grantId, subjectUserId } = gateway;
    const certificate = await authority.client(csr, { grantId, subjectUserId, ...gateway.certificateWishes });
    const spki = spkiOf(new X509Certificate(certificate));
    const state = gateway.tokens.get(token);
    if (state === undefined || state.consumed || (state.claimedBy ?? spki) !== spki) {
      return answerProblem(response, "enrollment_refused");
    }
    state.claimedBy = spki;
    const grant = { id: grantId, name: "home", subject_user_id: subjectUserId, expires_at: null };
    const answer = { certificate, root: authority.rootPem, endpoint: gateway.endpoint, grant };
    if (gateway.losesAnswer) return void response.destroy();
    return answerJson(response, gateway.alterAnswer(answer));
  }

  const queryServer = createServer(
    {
      ...(options.server ?? own),
      ca: authority.rootPem,
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: "TLSv1.3",
      ...options.tls,
    },
    onQuery,
  );
  const enrollment = options.enrollmentServer ?? { key: enrollKey, cert: enrollCert };
  const enrollServer =
    enrollment === "plain" ? createPlainServer(onEnrollment) : createServer(enrollment, onEnrollment);
  const [query, enrolling] = await Promise.all([listen(queryServer), listen(enrollServer)]);

  const gateway: TestGateway = {
    authority,
    grantId: newId(),
    subjectUserId: newId(),
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
    invite() {
      const token = newToken();
      gateway.tokens.set(token, { claimedBy: undefined, consumed: false });
      return formatInvite({ enrollUrl: gateway.enrollUrl, token, caFingerprint: fingerprintOf(authority.rootPem) });
    },
    resetQuerySockets() {
      for (const socket of query.sockets) socket.resetAndDestroy();
    },
    async stop() {
      await Promise.all([query.stop(), enrolling.stop()]);
    },
  };
  return gateway;
}
