import { Agent as HttpAgent, type IncomingMessage, request as httpRequest, type RequestOptions } from "node:http";
import { Agent as HttpsAgent, type AgentOptions, request as httpsRequest } from "node:https";
import { performance } from "node:perf_hooks";

/** One request, asked again and again. */
export interface Target {
  readonly url: string;
  readonly method: "GET" | "POST";
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Client certificate and trust anchor, for https. */
  readonly tls?: Pick<AgentOptions, "ca" | "cert" | "key">;
}

/** What one round of load measured. Latencies in milliseconds, ascending. */
export interface Round {
  readonly requestsPerSecond: number;
  readonly latenciesMs: readonly number[];
}

/** Asks one target over kept connections. Whoever opens it closes it. */
export interface Client {
  /** The body of a 200. @throws Error for any other status, and what the socket fails with */
  ask(): Promise<string>;
  close(): void;
}

/** @param connections at most; what is asked beyond that waits */
export function openClient({ url, method, headers, body, tls }: Target, connections: number): Client {
  const secure = url.startsWith("https:");
  const pool = { keepAlive: true, maxSockets: connections, maxFreeSockets: connections };
  const agent = secure
    ? new HttpsAgent({ ...pool, ...tls, minVersion: "TLSv1.3", maxCachedSessions: 0 })
    : new HttpAgent(pool);
  const { hostname, port, pathname, search } = new URL(url);
  const length = body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) };
  const options: RequestOptions = {
    agent,
    hostname,
    port,
    path: pathname + search,
    method,
    headers: { ...headers, ...length },
  };
  const send = secure ? httpsRequest : httpRequest;
  return {
    ask: () =>
      new Promise((resolve, reject) => {
        const answered = (response: IncomingMessage): void => {
          const parts: Buffer[] = [];
          response.on("data", (part: Buffer) => parts.push(part));
          response.on("error", reject);
          response.on("end", () => {
            const text = Buffer.concat(parts).toString();
            if (response.statusCode === 200) resolve(text);
            else reject(new Error(`${method} ${pathname} answered ${response.statusCode}: ${text.slice(0, 400)}`));
          });
        };
        send(options, answered).on("error", reject).end(body);
      }),
    close: () => agent.destroy(),
  };
}

/** Asks once, on a connection of its own. */
export async function askOnce(target: Target): Promise<string> {
  const client = openClient(target, 1);
  try {
    return await client.ask();
  } finally {
    client.close();
  }
}

const WARM_UP_REQUESTS = 5;

/**
 * A closed loop: each connection asks, waits for the whole answer and asks again. Connections are opened, and each asked
 * a few times, before the clock starts: what is measured is kept-alive traffic, not handshakes.
 */
export async function runRound(target: Target, connections: number, durationMs: number): Promise<Round> {
  const client = openClient(target, connections);
  const latenciesMs: number[] = [];
  const everyConnection = (work: () => Promise<void>) => Promise.all(Array.from({ length: connections }, work));
  try {
    await everyConnection(async () => {
      for (let asked = 0; asked < WARM_UP_REQUESTS; asked += 1) await client.ask();
    });
    const startedAt = performance.now();
    await everyConnection(async () => {
      let askedAt = performance.now();
      while (askedAt - startedAt < durationMs) {
        await client.ask();
        const answeredAt = performance.now();
        latenciesMs.push(answeredAt - askedAt);
        askedAt = answeredAt;
      }
    });
    const seconds = (performance.now() - startedAt) / 1000;
    return {
      requestsPerSecond: latenciesMs.length / seconds,
      latenciesMs: latenciesMs.toSorted((left, right) => left - right),
    };
  } finally {
    client.close();
  }
}
