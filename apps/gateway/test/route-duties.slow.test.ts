import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInProcessCoordination } from "@mosaicstack/coordination";
import { createSigningRequest, readInvite } from "@mosaicstack/federation-protocol";
import { newId, systemClock } from "@mosaicstack/foundation";
import {
  enroll,
  type Json,
  openTestStore,
  startGateway,
  type TestGateway as RunningGateway,
  type TestUser,
  movableClock,
} from "@mosaicstack/harness";
import { schema, type Store } from "@mosaicstack/storage";
import { and, eq, gt } from "drizzle-orm";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { registerHealth } from "../src/http/health.ts";
import type { Route } from "../src/http/route-table.ts";
import { createServer } from "../src/http/server.ts";
import { config, openTestGateway, PASSWORD, type TestGateway } from "./test-gateway.ts";

const { federationAuditLog } = schema;
const OWN_TASKS = { resources: ["tasks"], include_personal: true };
/** More than any public route answers a minute from one address. */
const TOO_MANY = 130;

/** Those that nobody counts, each with what bounds it instead: another one is a decision, so it fails here first. */
const UNCOUNTED = ["GET /enroll", "GET /federation/crl", "GET /healthz", "GET /openapi.json", "GET /readyz"];
/** Those that change something, and that the audit says nothing of. */
const UNAUDITED = [
  "POST /api/v1/federation/grants/:id/preview",
  "POST /api/v1/federation/grants/preview",
  "POST /api/v1/federation/peers/check",
];

let dataDirectory: string;
let gateway: TestGateway;
beforeAll(async () => {
  dataDirectory = await mkdtemp(join(tmpdir(), "mosaic-routes-"));
  const startedAt = systemClock.now();
  gateway = await openTestGateway({
    // It stands still: no window ends while it is filled.
    clock: { now: () => startedAt },
    config: {
      tier: "federated",
      embedded: true,
      dataDirectory,
      http: config.http,
      log: config.log,
      queue: { kind: "in-process" },
      certificateAuthority: { kind: "embedded" },
      federation: {
        host: "127.0.0.1",
        port: 0,
        certificateLifetimeDays: 7,
        inviteLifetimeMinutes: 15,
        deadlineMs: 2000,
        maxRowsPerQuery: 200,
      },
    },
  });
});
afterAll(async () => {
  await gateway?.stop();
  await rm(dataDirectory, { recursive: true });
});

const nameOf = ({ method, url }: Pick<Route, "method" | "url">): string => `${method} ${url}`;
const routes = (): readonly Route[] => gateway.gateway.routes.all().filter(({ method }) => method !== "HEAD");

function silentServer() {
  const authenticator = { identify: () => Promise.resolve(undefined), forgetUser: () => undefined };
  const log = pino({ level: "silent" });
  return createServer({ log, maxBodyBytes: 1024, tls: undefined, authenticator, publicOrigin: undefined });
}

describe("every route that anybody may call", () => {
  /** What has to be well-formed to count. */
  const bodies: Readonly<Record<string, Json>> = {
    "POST /api/v1/setup": { code: "wrong", name: "Eve", email: "eve@example.org", password: PASSWORD },
    "POST /api/auth/sign-in/email": { email: "eve@example.org", password: "wrong" },
  };

  test("and that is counted answers 429 to one who asks too often, with when to ask again", async () => {
    const counted = routes().filter(({ limit }) => limit === "counted");
    expect(counted.length).toBeGreaterThanOrEqual(10);
    for (const { method, url } of counted) {
      const name = nameOf({ method, url });
      const call = method === "GET" ? {} : { body: bodies[name] ?? {} };
      let answer = await gateway.call(method as "GET", url, call);
      let asked = 1;
      for (; answer.status !== 429 && asked < TOO_MANY; asked += 1) {
        answer = await gateway.call(method as "GET", url, call);
      }
      expect({ name, status: answer.status, code: answer.json?.code }).toEqual({
        name,
        status: 429,
        code: "rate_limited",
      });
      expect([name, Number(answer.headers["retry-after"]) > 0]).toEqual([name, true]);
      expect([name, asked > 1]).toEqual([name, true]);
    }
  });

  test("and that nobody counts is on a list, and says what bounds it", () => {
    const uncounted = routes().filter(({ access, limit }) => access === "public" && limit !== "counted");
    expect(uncounted.map(nameOf).toSorted()).toEqual(UNCOUNTED);
    for (const { limit } of uncounted) expect(limit).toEqual({ uncounted: expect.stringMatching(/\w+ \w+/) });
  });

  test("however many ask whether the gateway is ready, the database is asked once at a time", async () => {
    const store = await openTestStore();
    const coordination = createInProcessCoordination({ onFault: () => undefined });
    const { app } = await silentServer();
    let asked = 0;
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const query: Store["query"] = async <Row extends object>(sql: string, parameters: readonly unknown[]) => {
      asked += 1;
      await held;
      return await store.query<Row>(sql, parameters);
    };
    registerHealth(app, { store: { query }, coordination });
    const answers = Array.from({ length: 50 }, () => app.inject({ url: "/readyz" }));
    await expect.poll(() => asked).toBe(1);
    release();
    const statuses = (await Promise.all(answers)).map(({ statusCode }) => statusCode);
    expect([new Set(statuses), asked]).toEqual([new Set([200]), 1]);
    // Those who come later are not told what was so before.
    expect((await app.inject({ url: "/readyz" })).statusCode).toBe(200);
    expect(asked).toBe(2);
    await Promise.all([app.close(), coordination.close(), store.close()]);
  });
});

describe("every route that changes something of federation", () => {
  const clock = movableClock();
  let work: RunningGateway;
  let home: RunningGateway;
  let ada: TestUser;
  let grace: TestUser;
  beforeAll(async () => {
    [work, home] = await Promise.all([
      startGateway({ tier: "federated", name: "work", clock }),
      startGateway({ tier: "federated", name: "home", clock }),
    ]);
    [ada, grace] = await Promise.all([home.addUser("Ada"), work.addUser("Grace")]);
  });
  afterAll(async () => await Promise.all([work?.stop(), home?.stop()]));

  const grants = "/api/v1/federation/grants";
  const peers = "/api/v1/federation/peers";
  const wanted = () => ({ name: "home", subject: grace.email, scope: OWN_TASKS });
  const newGrant = () => work.admin.api.json("POST", grants, wanted());
  const ofGrant = (grant: Json, method: "POST" | "PATCH", verb: string, body?: unknown) =>
    work.admin.api.json(method, `${grants}/${grant.id}${verb}`, body);
  const newPeer = () => enroll(ada, work, { subject: grace.email, scope: OWN_TASKS, peer: newId().slice(-12) });

  /** Who did what, where: what its entry has to say. */
  interface Done {
    readonly at: RunningGateway;
    readonly actorUserId: string | null;
    readonly grantId: string;
  }
  const byAdmin = (grant: Json): Done => ({ at: work, actorUserId: work.admin.id, grantId: grant.id });
  const byAda = (grant: Json): Done => ({ at: home, actorUserId: ada.id, grantId: grant.id });

  /** Arranges what a route needs, and returns how to call it and what has to be written then. */
  const scenes: Readonly<Record<string, () => Promise<() => Promise<Done>>>> = {
    "POST /api/v1/federation/grants": async () => async () => byAdmin((await newGrant()).grant),
    "PATCH /api/v1/federation/grants/:id": async () => {
      const { grant } = await newGrant();
      return async () => byAdmin(await ofGrant(grant, "PATCH", "", { name: "renamed" }));
    },
    "POST /api/v1/federation/grants/:id/suspend": async () => {
      const { grant } = await newPeer();
      return async () => byAdmin(await ofGrant(grant, "POST", "/suspend"));
    },
    "POST /api/v1/federation/grants/:id/resume": async () => {
      const { grant } = await newPeer();
      await ofGrant(grant, "POST", "/suspend");
      return async () => byAdmin(await ofGrant(grant, "POST", "/resume"));
    },
    "POST /api/v1/federation/grants/:id/revoke": async () => {
      const { grant } = await newGrant();
      return async () => byAdmin(await ofGrant(grant, "POST", "/revoke"));
    },
    "POST /api/v1/federation/grants/:id/token": async () => {
      const { grant } = await newGrant();
      return async () => {
        await ofGrant(grant, "POST", "/token");
        return byAdmin(grant);
      };
    },
    "POST /enroll": async () => {
      const { grant, invite } = await newGrant();
      const reading = readInvite(invite);
      if (reading.kind === "malformed") throw new Error(reading.reason);
      const { csrPem: csr } = await createSigningRequest();
      return async () => {
        await work.api().json("POST", "/enroll", { protocol: 1, token: reading.invite.token, csr });
        return { at: work, actorUserId: null, grantId: grant.id };
      };
    },
    "POST /api/v1/federation/peers": async () => {
      const { grant, invite } = await newGrant();
      return async () => {
        await ada.api.json("POST", peers, { invite, name: newId().slice(-12) });
        return byAda(grant);
      };
    },
    "POST /api/v1/federation/peers/:name/renew": async () => {
      const { grant, peer } = await newPeer();
      // The serving side has it wait a minute after the enrollment.
      clock.advance(120_000);
      return async () => {
        await ada.api.json("POST", `${peers}/${peer.name}/renew`);
        // The same as of one that was due; who had it asked is with the request.
        return { ...byAda(grant), actorUserId: null };
      };
    },
    "DELETE /api/v1/federation/peers/:name": async () => {
      const { grant, peer } = await newPeer();
      return async () => {
        await ada.api.call("DELETE", `${peers}/${peer.name}`);
        return byAda(grant);
      };
    },
  };

  test("is on the list of those that are audited, or on the one of those that are not", () => {
    const named = (hasEvent: boolean) =>
      routes()
        .filter(({ audit }) => audit !== undefined && "event" in audit === hasEvent)
        .map(nameOf)
        .toSorted();
    expect(named(true)).toEqual(Object.keys(scenes).toSorted());
    expect(named(false)).toEqual(UNAUDITED);
  });

  test("writes the entry it says it does, with whose doing it was and of which grant", async () => {
    const audited = routes().flatMap(({ method, url, audit }) =>
      audit !== undefined && "event" in audit ? [{ name: nameOf({ method, url }), event: audit.event }] : [],
    );
    expect(audited.length).toBeGreaterThanOrEqual(10);
    for (const { name, event } of audited) {
      const act = await scenes[name]!();
      const before = newId(clock.now());
      const { at, actorUserId, grantId } = await act();
      const entries = async () =>
        await at.store.db
          .select({ event: federationAuditLog.event, actorUserId: federationAuditLog.actorUserId })
          .from(federationAuditLog)
          .where(and(eq(federationAuditLog.grantId, grantId), gt(federationAuditLog.id, before)));
      await expect.poll(entries, { message: name }).toContainEqual({ event, actorUserId });
    }
  });
});

describe("a planted offender is refused when it is registered", () => {
  test("public, without what limits it", async () => {
    const { app } = await silentServer();
    const planted = { config: { access: "public" }, schema: {} } as const;
    expect(() => app.get("/planted", planted, () => "")).toThrow("GET /planted does not say what limits it");
  });

  test.each(["/api/v1/federation/planted", "/federation/planted", "/enroll/planted"])(
    "of federation, without what the audit has of it: %s",
    async (path) => {
      const { app } = await silentServer();
      const planted = { config: { access: "admin" }, schema: {} } as const;
      for (const method of ["POST", "PUT", "PATCH", "DELETE"] as const) {
        expect(() => app.route({ method, url: path, ...planted, handler: () => "" })).toThrow(
          `${method} ${path} does not say what the audit has of it`,
        );
      }
      // What reads changes nothing.
      app.get(path, planted, () => "");
    },
  );
});
