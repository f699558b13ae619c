import { Agent, type AgentOptions, request } from "node:https";
import type { Socket } from "node:net";
import { performance } from "node:perf_hooks";
import { createSigningRequest, readInvite, verbPath } from "@mosaicstack/federation-protocol";

/** What a peer holds after its enrollment: its certificate with the chain, its key, and what it checks the other side by. */
export interface EnrolledKeys {
  readonly rootPem: string;
  readonly cert: string;
  readonly key: string;
}

/** An invite and a signing request: all that is to be made before an enrollment is timed. */
export interface PreparedEnrollment {
  /** @throws Error with what the gateway answers where it is no certificate */
  redeem(): Promise<EnrolledKeys>;
}

/** Makes the key and the signing request of a new peer. */
export async function prepareEnrollment(invite: string): Promise<PreparedEnrollment> {
  const reading = readInvite(invite);
  if (reading.kind === "malformed") throw new Error(reading.reason);
  const { enrollUrl, token } = reading.invite;
  const { csrPem, privateKeyPem } = await createSigningRequest();
  const body = JSON.stringify({ protocol: 1, token, csr: csrPem });
  return {
    async redeem() {
      const answer = await fetch(enrollUrl, { method: "POST", headers: { "content-type": "application/json" }, body });
      const text = await answer.text();
      if (!answer.ok) throw new Error(`enrollment: ${answer.status} ${text.slice(0, 400)}`);
      const { certificate, chain, root } = JSON.parse(text) as { certificate: string; chain: string[]; root: string };
      return { rootPem: root, cert: [certificate, ...chain].join("\n"), key: privateKeyPem };
    },
  };
}

/** One connection of a peer to one replica, kept alive between requests. */
export interface PeerSocket {
  /** Lists a row: the status, or `failed` where no answer came. Where the connection has ended it tries a new one, as clients do. */
  ask(): Promise<number | "failed">;
  isOpen(): boolean;
  /** When the connection ended, by `performance.now()`. */
  readonly closed: Promise<number>;
  close(): void;
}

const BODY = JSON.stringify({ resource: "tasks", limit: 1, filters: {} });

/** Connects, and asks once. @throws Error where that is not answered with 200 */
export async function openPeerSocket(endpoint: string, { rootPem, cert, key }: EnrolledKeys): Promise<PeerSocket> {
  const tls: AgentOptions = { ca: rootPem, cert, key, minVersion: "TLSv1.3", maxCachedSessions: 0 };
  const agent = new Agent({ ...tls, keepAlive: true, maxSockets: 1 });
  const url = `${endpoint}${verbPath("list")}`;
  const headers = { "content-type": "application/json", "content-length": BODY.length };
  let first: Socket | undefined;
  let closed: Promise<number> | undefined;

  const ask = () =>
    new Promise<number | "failed">((resolve) => {
      request(url, { method: "POST", agent, headers }, (answer) => {
        answer.once("error", () => resolve("failed"));
        answer.resume().once("end", () => resolve(answer.statusCode ?? 0));
      })
        .once("socket", (socket) => {
          if (first !== undefined) return;
          first = socket;
          closed = new Promise((ended) => socket.once("close", () => ended(performance.now())));
        })
        .once("error", () => resolve("failed"))
        .end(BODY);
    });

  const status = await ask();
  if (status !== 200 || first === undefined || closed === undefined)
    throw new Error(`a peer's first request: ${status}`);
  const socket = first;
  return { ask, isOpen: () => !socket.destroyed, closed, close: () => agent.destroy() };
}

/** A peer about to be revoked: its open connections, of which some stay idle and some are asked on at once. */
interface ConnectedPeer {
  readonly asked: readonly PeerSocket[];
  readonly idle: readonly PeerSocket[];
}

/** One connection of each kind to each replica. */
async function connectPeer(endpoints: readonly string[], keys: EnrolledKeys): Promise<ConnectedPeer> {
  const toEach = () => Promise.all(endpoints.map((endpoint) => openPeerSocket(endpoint, keys)));
  const [asked, idle] = await Promise.all([toEach(), toEach()]);
  return { asked, idle };
}

/** In milliseconds from when the revoke was asked for. */
export interface RevocationTimes {
  /** When it was answered. */
  readonly answeredMs: number;
  /** When the latest request began that was still served; 0: none was. */
  readonly lastServedMs: number;
  /** When the last connection ended, idle ones too. */
  readonly lastSocketMs: number;
}

const GIVE_UP_MS = 10_000;

/**
 * Revokes, and watches what becomes of the peer's connections meanwhile and afterwards.
 *
 * @throws Error where a connection had ended before, a refused peer was served again, or a connection is open 10 s after it was asked
 */
async function timeRevocation(
  { asked, idle }: ConnectedPeer,
  revoke: () => Promise<unknown>,
): Promise<RevocationTimes> {
  const sockets = [...asked, ...idle];
  if (!sockets.every((socket) => socket.isOpen())) throw new Error("a connection ended before the revocation");
  const askedAt = performance.now();
  const deadline = askedAt + GIVE_UP_MS;
  const sinceAsked = (at: number): number => at - askedAt;
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), GIVE_UP_MS);
  const servedUntil = async (socket: PeerSocket): Promise<number> => {
    let last = askedAt;
    for (let began = askedAt; (await socket.ask()) === 200; began = performance.now()) {
      if (began > deadline) throw new Error("a revoked peer is served on and on");
      last = began;
    }
    if ((await socket.ask()) === 200) throw new Error("a peer that had been refused was served again");
    return sinceAsked(last);
  };
  const givenUp = new Promise<never>((_, reject) => {
    late.signal.addEventListener("abort", () => reject(new Error("a revoked peer's connection stays open")));
  });
  try {
    const answered = async () => {
      await revoke();
      return sinceAsked(performance.now());
    };
    const [answeredMs, ...served] = await Promise.all([answered(), ...asked.map(servedUntil)]);
    const closed = await Promise.race([Promise.all(sockets.map((socket) => socket.closed)), givenUp]);
    return {
      answeredMs,
      lastServedMs: Math.max(...served),
      lastSocketMs: Math.max(...closed.map(sinceAsked)),
    };
  } finally {
    clearTimeout(timer);
    for (const socket of sockets) socket.close();
  }
}

/** A peer to be revoked, and how. */
export interface RevocablePeer {
  readonly keys: EnrolledKeys;
  readonly revoke: () => Promise<unknown>;
}

/** Few enough that no connection of a group is closed for being idle before its turn comes. */
const CONNECTED_AT_ONCE = 10;

/** Revokes one peer after the other. Each has two connections to every replica: one is asked on all the time, one stays idle. */
export async function timeRevocations(
  endpoints: readonly string[],
  peers: readonly RevocablePeer[],
): Promise<RevocationTimes[]> {
  const times: RevocationTimes[] = [];
  for (let from = 0; from < peers.length; from += CONNECTED_AT_ONCE) {
    const group = peers.slice(from, from + CONNECTED_AT_ONCE);
    const connected = await Promise.all(
      group.map(async ({ keys, revoke }) => ({ revoke, peer: await connectPeer(endpoints, keys) })),
    );
    for (const { peer, revoke } of connected) times.push(await timeRevocation(peer, revoke));
  }
  return times;
}

/** Asks on each connection again and again until told to stop. @returns how often each outcome was met */
export function keepAsking(sockets: readonly PeerSocket[]): { stop(): Promise<Map<number | "failed", number>> } {
  const outcomes = new Map<number | "failed", number>();
  const over = new AbortController();
  const asking = sockets.map(async (socket) => {
    while (!over.signal.aborted) {
      const outcome = await socket.ask();
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }
    socket.close();
  });
  return {
    async stop() {
      over.abort();
      await Promise.all(asking);
      return outcomes;
    },
  };
}
