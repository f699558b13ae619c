import { randomUUID } from "node:crypto";
import { connect, type TLSSocket } from "node:tls";
import { openEmbeddedAuthority } from "@mosaicstack/certificate-authority";
import { newId } from "@mosaicstack/foundation";
import { federationProblem, GRANT_ID_OID, RENEWAL_PATH } from "@mosaicstack/federation-protocol";
import { schema } from "@mosaicstack/storage";
import { eq } from "drizzle-orm";
import type { Agent } from "undici";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createListener, issueServerCertificate } from "../src/index.ts";
import type { AuditRow } from "./audit.ts";
import { openChainedAuthority } from "./chained-authority.ts";
import { renew } from "./renewing-peer.ts";
import {
  addTask,
  addTeam,
  addUser,
  grantAndEnroll,
  issueClient,
  newAuthority,
  type PeerKeys,
  type ServingGateway,
  type startServingGateway,
} from "./serving-gateway.ts";
import { codesServed, untested } from "./served-codes.ts";

/** Each way to be refused by the listener, with what is answered and what is audited. */
export function denialMatrix(start: typeof startServingGateway): void {
  const { federationAuditLog, federationCertificates, federationGrants, tasks, users } = schema;
  const HOUR_MS = 3_600_000;
  const DAY_MS = 24 * HOUR_MS;
  const OVERLAP_MS = 60_000;
  const everything = { resources: ["tasks", "notes"], include_teams: "all", include_personal: true };
  const withCredentialsExcluded = {
    ...everything,
    resources: ["tasks", "credentials"],
    excluded_resources: ["credentials"],
  };
  const listTasks = { resource: "tasks", limit: 50 };
  const admin = { userId: newId(), isAdmin: true };

  let gateway: ServingGateway;
  /** One whose authority writes otherNames that are wrong, as `alteration` says. */
  let misled: ServingGateway;
  let wrong: Awaited<ReturnType<typeof openChainedAuthority>>;
  let alteration = (names: string[]): string[] => names;
  /** One whose audit takes four entries and writes none until it is told to. */
  let backlogged: ServingGateway;
  let ada: string;

  beforeAll(async () => {
    gateway = await start();
    wrong = await openChainedAuthority((names) => alteration(names));
    misled = await start({ authority: () => wrong });
    backlogged = await start({ audit: { entries: 4, flushMs: DAY_MS, pollMs: DAY_MS } });
  });
  beforeEach(async () => {
    gateway.setClockRight();
    ada = await addUser(gateway.store, `ada-${randomUUID()}`);
  });
  afterAll(async () => {
    await Promise.all([gateway.stop(), misled.stop(), backlogged.stop()]);
    await wrong.close();
  });

  /** What a peer that is refused presents and asks. Default: a list of tasks. */
  interface Arranged {
    readonly keys: Partial<PeerKeys>;
    readonly at?: ServingGateway;
    readonly verb?: string;
    readonly body?: unknown;
    readonly headers?: Record<string, string>;
    /** Whether the connection is open already when what is arranged happens. */
    readonly once?: () => Promise<unknown>;
    readonly undo?: () => unknown;
  }

  /** A peer of a grant over Ada's data that is good in every way. */
  async function peer(scope: unknown = everything) {
    return await grantAndEnroll(gateway, ada, scope);
  }

  /** Records a certificate as the gateway's own, as if it had issued it. */
  async function register(at: ServingGateway, grantId: string, issued: Awaited<ReturnType<typeof issueClient>>) {
    const { serial, spki, cert: pem, notAfter } = issued;
    const row = { serial, spki, pem, notAfter, grantId, generation: 9, issuedAt: new Date() };
    await at.store.db.insert(federationCertificates).values(row);
  }

  /** A certificate that says whatever it is told to, recorded under a grant over Ada's data. */
  async function claiming(identity: { grantId?: string; subjectUserId?: string }): Promise<Arranged> {
    const { grant } = await peer();
    const keys = await issueClient(gateway.authority, { grantId: grant.id, subjectUserId: ada, ...identity });
    await register(gateway, grant.id, keys);
    return { keys };
  }

  async function misnamed(alter: (names: string[]) => string[]): Promise<Arranged> {
    const subject = await addUser(misled.store, `ada-${randomUUID()}`);
    const { grant } = await grantAndEnroll(misled, subject, everything);
    alteration = alter;
    const issued = await issueClient(wrong, { grantId: grant.id, subjectUserId: subject });
    alteration = (names) => names;
    await register(misled, grant.id, issued);
    return { at: misled, keys: { key: issued.key, cert: [issued.cert, wrong.intermediatePem].join("\n") } };
  }

  /** The grant changes after its peer's connection has been let in. */
  async function changed(values: Partial<typeof federationGrants.$inferInsert>): Promise<Arranged> {
    const { keys, grant } = await peer();
    const change = () => gateway.store.db.update(federationGrants).set(values).where(eq(federationGrants.id, grant.id));
    return { keys, once: change };
  }

  async function asking(verb: string, body: unknown, headers: Record<string, string> = {}, scope?: unknown) {
    const { keys } = await peer(scope);
    return { keys, verb, body, headers };
  }

  /** A request that is let in and never finishes, for as long as the socket is open. */
  async function holdOne({ cert, key }: PeerKeys): Promise<TLSSocket> {
    const { port, rootPem: ca } = gateway;
    const socket = connect({ host: "127.0.0.1", port, ca, cert, key, ALPNProtocols: ["http/1.1"] });
    socket.on("error", () => undefined);
    const head =
      "POST /federation/v1/list HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 40\r\n\r\n{";
    await new Promise((resolve) => socket.write(head, resolve));
    return socket;
  }

  async function failing(part: "query" | "readAsPeer", error: Error): Promise<Arranged> {
    const { keys } = await peer();
    const { store } = gateway;
    const whole = store[part];
    return {
      keys,
      once: () => Promise.resolve(Object.assign(store, { [part]: () => Promise.reject(error) })),
      undo: () => Object.assign(store, { [part]: whole }),
    };
  }

  /** A Problem as the storage package throws them. */
  async function databaseAway(): Promise<Error> {
    const { Problem } = await import("@mosaicstack/foundation");
    return new Problem("database_unreachable", { status: 503, title: "The database can't be reached.", remedy: "" });
  }

  /** As nothing else does: `tasks` takes titles of any length from whoever writes to the database itself. */
  async function addHugeTask(ownerId: string): Promise<string> {
    const id = newId();
    const properties = { text: "x".repeat(9_000_000) };
    const at = new Date();
    await gateway.store.db
      .insert(tasks)
      .values({ id, ownerId, title: "huge", properties, createdAt: at, updatedAt: at });
    return id;
  }

  type Code = keyof typeof federationProblem.table;
  type Case = readonly [outcome: Code, situation: string, arrange: () => Promise<Arranged>];

  const problems: readonly Case[] = [
    ["identity_invalid", "grantId is missing", () => misnamed((names) => names.slice(1))],
    ["identity_invalid", "subjectUserId is missing", () => misnamed((names) => names.slice(0, 1))],
    ["identity_invalid", "grantId comes twice", () => misnamed((names) => [...names, names[0] ?? ""])],
    ["identity_invalid", "subjectUserId comes twice", () => misnamed((names) => [...names, names[1] ?? ""])],
    ["identity_invalid", "grantId is no id", () => claiming({ grantId: "not-an-id" })],
    [
      "identity_invalid",
      "grantId is not a UTF8String",
      () => misnamed(([, subject = ""]) => [`otherName:${GRANT_ID_OID};IA5:${newId()}`, subject]),
    ],
    ["grant_unknown", "no such grant", () => claiming({ grantId: newId() })],
    [
      "grant_unknown",
      "the grant is another than this certificate's",
      async () => claiming({ grantId: (await peer()).grant.id }),
    ],
    [
      "grant_unknown",
      "the subject is another than the grant's",
      async () => claiming({ subjectUserId: await addUser(gateway.store, `grace-${randomUUID()}`) }),
    ],
    [
      "grant_unknown",
      "the subject is gone",
      async () => ({ ...(await peer()), once: () => gateway.store.db.delete(users).where(eq(users.id, ada)) }),
    ],
    ["grant_suspended", "the grant is suspended", () => changed({ status: "suspended" })],
    ["grant_revoked", "the grant is revoked while the connection is open", () => changed({ status: "revoked" })],
    ["grant_expired", "the grant is marked as expired", () => changed({ status: "expired" })],
    ["grant_expired", "the grant's end has passed", () => changed({ expiresAt: new Date(Date.now() - 1) })],
    [
      "grant_expired",
      "the certificate's end passes while the connection is open",
      async () => ({ ...(await peer()), once: async () => gateway.advance(7 * DAY_MS + HOUR_MS) }),
    ],
    [
      "grant_inactive",
      "the grant is pending",
      async () => {
        const input = { name: "home", subject: ada, scope: everything, expiresAt: null };
        const { grant } = await gateway.grants.create(admin, input);
        const keys = await issueClient(gateway.authority, { grantId: grant.id, subjectUserId: ada });
        await register(gateway, grant.id, keys);
        return { keys };
      },
    ],
    [
      "certificate_not_yet_valid",
      "the clock is set back while the connection is open",
      async () => ({ ...(await peer()), once: async () => gateway.advance(-2 * DAY_MS) }),
    ],
    [
      "certificate_superseded",
      "a newer certificate has been used for longer than the overlap",
      async () => {
        const { keys } = await peer();
        await gateway.ask(gateway.agent(keys), "list", listTasks);
        const next = await renew(gateway, keys);
        await gateway.ask(gateway.agent(next), "list", listTasks);
        gateway.advance(OVERLAP_MS + 1000);
        return { keys };
      },
    ],
    [
      "rate_limited",
      "the grant's requests a minute are used up",
      async () => {
        const { keys, grant } = await peer();
        const { id } = federationGrants;
        await gateway.store.db.update(federationGrants).set({ requestsPerMinute: 1 }).where(eq(id, grant.id));
        return { keys, once: () => gateway.ask(gateway.agent(keys), "list", listTasks) };
      },
    ],
    [
      "concurrency_limited",
      "as many requests of the grant as may are under way",
      async () => {
        const { keys, grant } = await peer();
        const { id } = federationGrants;
        await gateway.store.db.update(federationGrants).set({ concurrentRequests: 1 }).where(eq(id, grant.id));
        await gateway.ask(gateway.agent(keys), "list", listTasks);
        const held = await holdOne(keys);
        await expect.poll(() => gateway.liveSockets.count(grant.id)).toBe(2);
        await new Promise((resolve) => setTimeout(resolve, 100));
        return { keys, undo: () => held.destroy() };
      },
    ],
    ["verb_unknown", "another verb", () => asking("/federation/v1/delete", {})],
    ["verb_unknown", "another version", () => asking("/federation/v2/list", {})],
    ["verb_unknown", "the people's address", () => asking("/api/v1/tasks", {})],
    ["request_malformed", "malformed JSON", () => asking("list", '{"resource":')],
    ["request_malformed", "no body", () => asking("list", "")],
    ["request_malformed", "a body that is no object", () => asking("list", "[]")],
    [
      "request_malformed",
      "a member named __proto__",
      () => asking("list", '{"resource":"tasks","limit":1,"filters":{"__proto__":"x"}}'),
    ],
    ["request_malformed", "a member there is not", () => asking("list", { ...listTasks, owner: "grace" })],
    [
      "request_malformed",
      "a cursor that is no id",
      () => asking("list", { ...listTasks, before: "'; drop table tasks" }),
    ],
    ["request_malformed", "a limit past the most", () => asking("list", { ...listTasks, limit: 1001 })],
    ["request_malformed", "a filter there is not", () => asking("list", { ...listTasks, filters: { owner_id: "x" } })],
    [
      "request_malformed",
      "a filter's value there is not",
      () => asking("list", { ...listTasks, filters: { status: "x" } }),
    ],
    [
      "request_malformed",
      "a filter named like a member of Object",
      () => asking("list", { ...listTasks, filters: { constructor: "x" } }),
    ],
    ["request_malformed", "a NUL in a filter", () => asking("list", { ...listTasks, filters: { key: "a\0b" } })],
    ["request_malformed", "an id that is none", () => asking("get", { resource: "tasks", id: "1" })],
    ["request_malformed", "a blank query", () => asking("search", { query: " ", limit: 5 })],
    [
      "body_too_large",
      "a body past 64 kB",
      () => asking("list", { ...listTasks, filters: { key: "x".repeat(70_000) } }),
    ],
    ["media_type_unsupported", "another media type", () => asking("list", listTasks, { "content-type": "text/plain" })],
    ["media_type_unsupported", "no media type at all", () => asking("list", listTasks, { "content-type": "json" })],
    ["resource_not_in_scope", "an unknown resource", () => asking("list", { resource: "nonsense", limit: 1 })],
    ["resource_not_in_scope", "one not named", () => asking("list", { resource: "credentials", limit: 1 })],
    [
      "resource_not_in_scope",
      "credentials, named and excluded",
      () => asking("list", { resource: "credentials", limit: 1 }, {}, withCredentialsExcluded),
    ],
    [
      "resource_not_in_scope",
      "an excluded resource",
      () => asking("get", { resource: "notes", id: newId() }, {}, { ...everything, excluded_resources: ["notes"] }),
    ],
    [
      "resource_not_in_scope",
      "a search of one not named",
      () => asking("search", { query: "x", limit: 1, resources: ["memory"] }),
    ],
    ["row_not_found", "an absent row", () => asking("get", { resource: "tasks", id: newId() })],
    [
      "row_not_found",
      "somebody else's row",
      async () => {
        const grace = await addUser(gateway.store, `grace-${randomUUID()}`);
        return await asking("get", { resource: "tasks", id: await addTask(gateway.store, "grace's", grace) });
      },
    ],
    [
      "row_not_found",
      "a row of the subject's outside the scope",
      async () => {
        const team = await addTeam(gateway.store, `outside-${ada}`, ada);
        const id = await addTask(gateway.store, "outside", ada, team);
        return await asking("get", { resource: "tasks", id }, {}, { resources: ["tasks"], include_personal: true });
      },
    ],
    [
      "response_too_large",
      "one row past 8 MB",
      async () => asking("get", { resource: "tasks", id: await addHugeTask(ada) }),
    ],
    [
      "database_busy",
      "the database is away when the grant is looked up",
      async () => failing("query", await databaseAway()),
    ],
    [
      "database_busy",
      "the database is away when rows are read",
      async () => failing("readAsPeer", await databaseAway()),
    ],
    ["serving_failed", "a fault of our own", () => failing("readAsPeer", new Error("select canary-4711"))],
    ["serving_failed", "a stored scope that is not valid", () => changed({ scope: { resources: ["nonsense"] } })],
    ["signing_request_invalid", "a renewal without a signing request", () => asking(RENEWAL_PATH, { csr: "none" })],
  ];

  const dropped: readonly (readonly [
    outcome: string,
    situation: string,
    reason: RegExp,
    arrange: () => Promise<Arranged>,
  ])[] = [
    ["certificate_untrusted", "no certificate", /no client certificate/, async () => ({ keys: {} })],
    [
      "certificate_untrusted",
      "a certificate of another CA",
      /UNABLE_TO/,
      async () => {
        const other = await openEmbeddedAuthority({ ...(await newAuthority(gateway.clock)), clock: gateway.clock });
        return { keys: await issueClient(other, { grantId: (await peer()).grant.id, subjectUserId: ada }) };
      },
    ],
    [
      "certificate_unknown",
      "a certificate of our CA that was never recorded",
      /no such serial/,
      async () => ({
        keys: await issueClient(gateway.authority, { grantId: (await peer()).grant.id, subjectUserId: ada }),
      }),
    ],
    [
      "certificate_expired",
      "an expired certificate",
      /^since 20/,
      async () => {
        const { keys } = await peer();
        gateway.advance(8 * DAY_MS + HOUR_MS);
        return { keys };
      },
    ],
    [
      "certificate_not_yet_valid",
      "a certificate that is not valid yet",
      /^20/,
      async () => {
        const { keys } = await peer();
        gateway.advance(-2 * DAY_MS);
        return { keys };
      },
    ],
    [
      "certificate_revoked",
      "a revoked certificate",
      /^since 20/,
      async () => {
        const { keys, grant } = await peer();
        await gateway.grants.revoke(admin, grant.id);
        return { keys };
      },
    ],
    [
      "certificate_not_checked",
      "a certificate that cannot be looked up",
      /canary-away/,
      async () => {
        const { keys } = await peer();
        const { undo, once } = await failing("query", new Error("canary-away"));
        await once?.();
        return { keys, ...(undo === undefined ? {} : { undo }) };
      },
    ],
  ];

  /** What the audit has of one request, or of the last connection. */
  async function audited(at: ServingGateway, requestId?: string): Promise<AuditRow | undefined> {
    await at.auditQueue.flush();
    const rows = await at.store.db.select().from(federationAuditLog).orderBy(federationAuditLog.position);
    return rows.findLast((row) => (requestId === undefined ? row.event === "connection" : row.requestId === requestId));
  }

  /** Opens the connection with a request that is answered, and then has it happen. */
  async function changeOnceOpen(at: ServingGateway, agent: Agent, change: () => Promise<unknown>): Promise<void> {
    const { status, text } = await at.ask(agent, "capabilities", {});
    if (status !== 200) throw new Error(text);
    await change();
  }

  describe("refused with a problem, and audited", () => {
    test.each(problems)("%s: %s", async (code, _situation, arrange) => {
      const arranged = await arrange();
      const { keys, at = gateway, verb = "list", body = listTasks, headers = {} } = arranged;
      const agent = at.agent(keys);
      if (arranged.once !== undefined) await changeOnceOpen(at, agent, arranged.once);
      const requestId = newId();
      const answer = await at.ask(agent, verb, body, { ...headers, "x-request-id": requestId });
      await arranged.undo?.();

      const { status, title } = federationProblem.table[code];
      expect([answer.status, answer.json["code"], answer.json["title"]]).toEqual([status, code, title]);
      expect(answer.headers["content-type"]).toMatch(/^application\/problem\+json/);
      expect([answer.headers["x-request-id"], answer.json["request_id"]]).toEqual([requestId, requestId]);
      expect(answer.json["remedy"]).toEqual(expect.any(String));
      expect(answer.text).not.toContain("canary");
      if (verb === RENEWAL_PATH) return;
      const row = await audited(at, requestId);
      expect(row?.grantId === null).toBe(code === "identity_invalid");
      expect(row).toMatchObject({
        side: "serving",
        event: "request",
        verb: verb.startsWith("/") ? "unknown" : verb,
        outcome: code,
        serial: expect.any(String),
        rows: 0,
        bytes: 0,
      });
    });
  });

  describe("dropped before HTTP, and audited with the reason", () => {
    test.each(dropped)("%s: %s", async (outcome, _situation, reason, arrange) => {
      const arranged = await arrange();
      const answer = await gateway.ask(gateway.agent(arranged.keys), "list", listTasks).then(
        ({ status }) => `answered ${status}`,
        () => "dropped",
      );
      await arranged.undo?.();
      expect(answer).toBe("dropped");
      const row = await audited(gateway);
      expect(row).toMatchObject({ event: "connection", outcome, reason: expect.stringMatching(reason) });
      expect(row?.serial === null).toBe(arranged.keys.cert === undefined);
    });

    test("handshake_failed: TLS 1.2", async () => {
      const { keys } = await peer();
      const { port, rootPem: ca } = gateway;
      const error = await new Promise((resolve) => {
        const socket = connect({ host: "127.0.0.1", port, ca, ...keys, maxVersion: "TLSv1.2" }, () =>
          resolve(undefined),
        );
        socket.on("error", resolve);
      });
      expect(error).toMatchObject({ code: expect.stringMatching(/PROTOCOL_VERSION|ECONNRESET/) as string });
      await expect.poll(async () => (await audited(gateway))?.outcome).toBe("handshake_failed");
      expect((await audited(gateway))?.reason).toBe("ERR_SSL_UNSUPPORTED_PROTOCOL");
    });
  });

  describe("audit_backlogged", () => {
    const fill = () => {
      while (backlogged.auditQueue.record({ side: "querying", event: "request", outcome: "ok" }) === "queued");
    };

    test("audit_backlogged: the audit is full, so nothing is read, and refused requests are counted", async () => {
      const subject = await addUser(backlogged.store, `ada-${randomUUID()}`);
      await addTask(backlogged.store, "a task", subject);
      const agent = backlogged.agent((await grantAndEnroll(backlogged, subject, everything)).keys);
      expect((await backlogged.ask(agent, "list", listTasks)).status).toBe(200);
      fill();
      const before = backlogged.auditQueue.dropped();
      const readAsPeer = backlogged.store.readAsPeer.bind(backlogged.store);
      let reads = 0;
      backlogged.store.readAsPeer = (bounds, work) => {
        reads += 1;
        return readAsPeer(bounds, work);
      };
      const answer = await backlogged.ask(agent, "list", listTasks);
      expect([answer.status, answer.json["code"], answer.headers["retry-after"]]).toEqual([
        503,
        "audit_backlogged",
        "1",
      ]);
      expect([reads, backlogged.auditQueue.dropped() - before]).toEqual([0, 1]);
      await backlogged.auditQueue.flush();
      expect((await backlogged.ask(agent, "list", listTasks)).json["rows"]).toHaveLength(1);
      expect(reads).toBe(1);
      backlogged.store.readAsPeer = readAsPeer;
    });

    test("audit_backlogged: the audit has become full during the read, so what was read is not answered", async () => {
      const { keys } = await peer();
      await addTask(gateway.store, "canary-4711", ada);
      const listener = createListener({
        ...gateway,
        host: "127.0.0.1",
        port: 0,
        certificate: await issueServerCertificate(gateway.authority, gateway.clock, []),
        maxRowsPerQuery: 200,
        auditQueue: { hasRoom: () => true, record: () => "full", queryHash: () => "" },
        record: (entry) => gateway.records.push(entry),
      });
      const { port } = await listener.start();
      try {
        const answer = await gateway.ask(
          gateway.agent(keys),
          `https://127.0.0.1:${port}/federation/v1/list`,
          listTasks,
        );
        expect([answer.status, answer.json["code"]]).toEqual([503, "audit_backlogged"]);
        expect(answer.text).not.toContain("canary-4711");
        expect(gateway.records.at(-1)).toMatchObject({ verb: "list", outcome: "audit_backlogged" });
      } finally {
        await listener.stop();
      }
    });
  });

  describe("every code has its case", () => {
    const cases = [...problems.map(([code]) => code), "audit_backlogged"];

    test("of the protocol's table, each code that this side throws at its listener", async () => {
      expect(untested(await codesServed(), cases)).toEqual([]);
    });

    test("a code without a case is found", async () => {
      const served = await codesServed();
      expect(served).toContain("grant_suspended");
      expect(
        untested(
          served,
          cases.filter((code) => code !== "grant_suspended"),
        ),
      ).toEqual(["grant_suspended"]);
    });
  });
}
