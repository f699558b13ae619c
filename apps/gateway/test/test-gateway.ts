import { type Config, Secret, type StandaloneConfig } from "@mosaicstack/config";
import { type Clock, systemClock } from "@mosaicstack/foundation";
import { openTestStore } from "@mosaicstack/harness";
import type { Store } from "@mosaicstack/storage";
import { pino } from "pino";
import { composeGateway, type Gateway } from "../src/index.ts";

/** A made user and the API key that speaks for them. */
export interface Person {
  readonly id: string;
  readonly name: string;
  readonly email: string;
  readonly key: string;
}

/** Untyped, as `JSON.parse` has it: what is wrong in it fails the test that reads it. */
export type Json = ReturnType<typeof JSON.parse>;

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
  /** The body, where it is JSON. */
  readonly json: Json;
}

export interface Call {
  readonly as?: Person | undefined;
  readonly body?: unknown;
  /** Sent as it is, in place of `body`. */
  readonly raw?: string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A gateway over a real PGlite, asked without a socket. */
export interface TestGateway {
  readonly gateway: Gateway;
  readonly store: Store;
  readonly admin: Person;
  readonly log: string[];
  call(method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE" | "HEAD", path: string, call?: Call): Promise<Answer>;
  /** Makes a user without a password, with a key. */
  person(name: string): Promise<Person>;
  /** Makes a team; the first is its owner. */
  team(name: string, owner: Person, ...members: readonly Person[]): Promise<string>;
  stop(): Promise<void>;
}

export const PASSWORD = "correct horse battery staple";

/** The configuration of a gateway whose store is given. */
export const config: StandaloneConfig = {
  tier: "standalone",
  http: { host: "127.0.0.1", port: 0, tls: "off", maxBodyBytes: 1_048_576 },
  log: { level: "warn", format: "json" },
  database: { host: "127.0.0.1", port: 1, name: "mosaic", user: "mosaic", tls: "off", poolSize: 1 },
};

export const secrets = { authSecret: new Secret("a secret of a test, longer than thirty-two characters") };

export async function openTestGateway(
  options: { readonly clock?: Clock; readonly config?: Config; readonly withoutAdmin?: boolean } = {},
): Promise<TestGateway> {
  const store = await openTestStore({ vector: options.config?.tier === "federated" });
  const log: string[] = [];
  const gateway = await composeGateway({
    config: options.config ?? config,
    secrets,
    clock: options.clock ?? systemClock,
    log: pino({ level: "info" }, { write: (line: string) => void log.push(line) }),
    openStore: () => Promise.resolve(store),
  });

  const call: TestGateway["call"] = async (method, path, { as, body, raw, headers } = {}) => {
    const answer = await gateway.app.inject({
      method,
      url: path,
      headers: {
        ...(as === undefined ? {} : { authorization: `Bearer ${as.key}` }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      ...(raw === undefined ? (body === undefined ? {} : { payload: JSON.stringify(body) }) : { payload: raw }),
    });
    const isJson = String(answer.headers["content-type"]).includes("json");
    const text = answer.body;
    return {
      status: answer.statusCode,
      headers: answer.headers,
      text,
      json: isJson && text !== "" ? JSON.parse(text) : undefined,
    };
  };

  async function made(answer: Promise<Answer>): Promise<Json> {
    const { status, text, json } = await answer;
    if (status !== 201 && status !== 200) throw new Error(`${status} ${text}`);
    return json;
  }

  async function setUp(): Promise<Person> {
    const claim = { code: gateway.setupCode, name: "Ada", email: "ada@example.org", password: PASSWORD };
    const { user, api_key: key } = await made(call("POST", "/api/v1/setup", { body: claim }));
    return { ...user, key };
  }
  const admin = options.withoutAdmin === true ? { id: "", name: "", email: "", key: "" } : await setUp();

  return {
    gateway,
    store,
    admin,
    log,
    call,
    async person(name) {
      const email = `${name.toLowerCase().replaceAll(" ", ".")}@example.org`;
      const user = await made(call("POST", "/api/v1/users", { as: admin, body: { name, email } }));
      const { key } = await made(
        call("POST", `/api/v1/users/${user.id}/api-keys`, { as: admin, body: { name: "test" } }),
      );
      return { ...user, key };
    },
    async team(name, owner, ...members) {
      const { id } = await made(call("POST", "/api/v1/teams", { as: owner, body: { name } }));
      for (const member of members)
        await made(call("PUT", `/api/v1/teams/${id}/members/${member.id}`, { as: owner, body: {} }));
      return id;
    },
    stop: () => gateway.stop(),
  };
}

/** An answer without what differs in every answer: its request id. */
export function comparable({ status, headers, text }: Answer): unknown {
  const { "x-request-id": _id, date: _date, ...rest } = headers;
  return { status, headers: rest, text: text.replace(/"request_id":"[0-9a-f-]{36}"/, '"request_id":""') };
}
