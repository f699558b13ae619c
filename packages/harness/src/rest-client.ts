import { Agent } from "undici";

/** Untyped, as `JSON.parse` has it: what is wrong in it fails the test that reads it. */
export type Json = ReturnType<typeof JSON.parse>;

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  /** The body, where it is JSON. */
  readonly json: Json;
}

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

/** Asks a gateway over its socket, as one user. */
export interface RestClient {
  /** Whatever the status. */
  call(method: Method, path: string, body?: unknown): Promise<Answer>;
  /** The body of an answer that must be 2xx. @throws Error with status and body of any other */
  json(method: Method, path: string, body?: unknown): Promise<Json>;
}

export interface RestClients {
  /** @param key an API key; absent: without a credential */
  as(key?: string): RestClient;
  /** Every body of status 400 and above that was answered, in order. */
  readonly refusals: readonly string[];
  close(): Promise<void>;
}

/**
 * Clients of one listener, which share its connections.
 * @param rootPem the only trust anchor, for an https listener
 */
export function createRestClients(origin: string, rootPem: string | undefined): RestClients {
  const agent = new Agent({ connections: 32, ...(rootPem === undefined ? {} : { connect: { ca: rootPem } }) });
  const refusals: string[] = [];

  async function call(key: string | undefined, method: Method, path: string, body: unknown): Promise<Answer> {
    const answer = await agent.request({
      origin,
      path,
      method,
      headers: {
        ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.body.text();
    if (answer.statusCode >= 400) refusals.push(text);
    const isJson = String(answer.headers["content-type"]).includes("json") && text !== "";
    return {
      status: answer.statusCode,
      headers: answer.headers,
      text,
      json: isJson ? JSON.parse(text) : undefined,
    };
  }

  return {
    refusals,
    as: (key) => ({
      call: (method, path, body) => call(key, method, path, body),
      async json(method, path, body) {
        const { status, text, json } = await call(key, method, path, body);
        if (status < 200 || status > 299) throw new Error(`${method} ${path}: ${status} ${text}`);
        return json;
      },
    }),
    close: () => agent.destroy(),
  };
}
