import { randomUUID } from "node:crypto";
import { connect } from "node:tls";
import { newId } from "@mosaicstack/foundation";
import { GRANT_ID_OID } from "@mosaicstack/federation-protocol";
import { openEmbeddedAuthority } from "@mosaicstack/certificate-authority";
import { schema } from "@mosaicstack/storage";
import { eq } from "drizzle-orm";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  addTask,
  addTeam,
  addUser,
  grantAndEnroll,
  issueClient,
  newAuthority,
  type PeerKeys,
  type ServingGateway,
  startServingGateway,
} from "./serving-gateway.ts";

const { federationCertificates, federationGrants, users } = schema;
const DAY_MS = 86_400_000;
const everything = { resources: ["tasks", "notes"], include_teams: "all", include_personal: true };
const listTasks = { resource: "tasks", limit: 50 };

let gateway: ServingGateway;
let ada: string;

beforeAll(async () => {
  gateway = await startServingGateway();
});
beforeEach(async () => {
  gateway.setClockRight();
  ada = await addUser(gateway.store, `ada-${randomUUID()}`);
});
afterAll(() => gateway.stop());

/** Another person, whose rows must never show. */
function addGrace(): Promise<string> {
  return addUser(gateway.store, `grace-${randomUUID()}`);
}

async function outcomeOf(keys: Partial<PeerKeys>): Promise<string> {
  const failure = await gateway.ask(gateway.agent(keys), "list", listTasks).then(
    ({ status }) => `answered ${status}`,
    () => "dropped",
  );
  return failure;
}

/** Records a certificate as this gateway's own, as if it had issued it. */
async function register(grantId: string, certificate: { serial: string; spki: string; cert: string; notAfter: Date }) {
  const { serial, spki, cert: pem, notAfter } = certificate;
  const row = { serial, spki, pem, notAfter, grantId, generation: 9, issuedAt: new Date() };
  await gateway.store.db.insert(federationCertificates).values(row);
}

describe("dropped before HTTP", () => {
  test("no client certificate", async () => {
    expect(await outcomeOf({})).toBe("dropped");
    expect(gateway.records.at(-1)).toMatchObject({ verb: "connect", outcome: "certificate_untrusted", serial: null });
  });

  test("a certificate of another CA", async () => {
    const { grant } = await grantAndEnroll(gateway, ada, everything);
    const other = await openEmbeddedAuthority({ ...(await newAuthority(gateway.clock)), clock: gateway.clock });
    const keys = await issueClient(other, { grantId: grant.id, subjectUserId: ada });
    expect(await outcomeOf(keys)).toBe("dropped");
    expect(gateway.records.at(-1)).toMatchObject({ outcome: "certificate_untrusted" });
  });

  test("a server certificate of our CA used as a client's", async () => {
    const { issueServerCertificate } = await import("../src/index.ts");
    const { cert, key } = await issueServerCertificate(gateway.authority, gateway.clock, ["client.test"]);
    expect(await outcomeOf({ cert, key })).toBe("dropped");
    expect(gateway.records.at(-1)).toMatchObject({ outcome: "certificate_untrusted" });
  });

  test("an expired certificate", async () => {
    const { keys } = await grantAndEnroll(gateway, ada, everything);
    gateway.advance(8 * DAY_MS);
    expect(await outcomeOf(keys)).toBe("dropped");
    expect(gateway.records.at(-1)).toMatchObject({ outcome: "certificate_expired" });
  });

  test("a certificate that is not valid yet", async () => {
    const { keys } = await grantAndEnroll(gateway, ada, everything);
    gateway.advance(-2 * DAY_MS);
    expect(await outcomeOf(keys)).toBe("dropped");
    expect(gateway.records.at(-1)).toMatchObject({ outcome: "certificate_not_yet_valid" });
  });

  test("a certificate of our CA that was never recorded", async () => {
    const { grant } = await grantAndEnroll(gateway, ada, everything);
    const keys = await issueClient(gateway.authority, { grantId: grant.id, subjectUserId: ada });
    expect(await outcomeOf(keys)).toBe("dropped");
    expect(gateway.records.at(-1)).toMatchObject({ outcome: "certificate_unknown", serial: keys.serial });
  });

  test("a revoked certificate", async () => {
    const { keys, grant, admin } = await grantAndEnroll(gateway, ada, everything);
    await gateway.grants.revoke(admin, grant.id);
    expect(await outcomeOf(keys)).toBe("dropped");
    expect(gateway.records.at(-1)).toMatchObject({ outcome: "certificate_revoked" });
  });

  test("TLS 1.2", async () => {
    const { keys } = await grantAndEnroll(gateway, ada, everything);
    const { port, rootPem: ca } = gateway;
    const error = await new Promise((resolve) => {
      const socket = connect({ host: "127.0.0.1", port, ca, ...keys, maxVersion: "TLSv1.2" }, () => resolve(undefined));
      socket.on("error", resolve);
    });
    expect(error).toMatchObject({ code: expect.stringMatching(/PROTOCOL_VERSION|ECONNRESET/) as string });
  });
});

describe("401 identity_invalid", () => {
  test("a certificate of ours whose otherNames are malformed", async () => {
    const { grant } = await grantAndEnroll(gateway, ada, everything);
    const keys = await issueClient(gateway.authority, { grantId: "not-an-id", subjectUserId: ada });
    await register(grant.id, keys);
    const answer = await gateway.ask(gateway.agent(keys), "list", listTasks);
    expect(answer.status).toBe(401);
    expect(answer.json["code"]).toBe("identity_invalid");
    expect(GRANT_ID_OID).toBe("1.3.6.1.4.1.99999.1");
  });
});

describe("403", () => {
  test("grant_unknown: the certificate names a grant that is not its own", async () => {
    const own = await grantAndEnroll(gateway, ada, everything);
    const grace = await addGrace();
    const other = await grantAndEnroll(gateway, grace, everything);
    await addTask(gateway.store, "grace's", grace);
    const keys = await issueClient(gateway.authority, { grantId: other.grant.id, subjectUserId: grace });
    await register(own.grant.id, keys);
    const answer = await gateway.ask(gateway.agent(keys), "list", listTasks);
    expect([answer.status, answer.json["code"]]).toEqual([403, "grant_unknown"]);
  });

  test("grant_unknown: the certificate names another subject than its grant", async () => {
    const { grant } = await grantAndEnroll(gateway, ada, everything);
    const grace = await addGrace();
    const keys = await issueClient(gateway.authority, { grantId: grant.id, subjectUserId: grace });
    await register(grant.id, keys);
    const answer = await gateway.ask(gateway.agent(keys), "list", listTasks);
    expect([answer.status, answer.json["code"]]).toEqual([403, "grant_unknown"]);
  });

  test("grant_unknown: the subject is gone", async () => {
    const { keys } = await grantAndEnroll(gateway, ada, everything);
    await gateway.store.db.delete(users).where(eq(users.id, ada));
    const answer = await gateway.ask(gateway.agent(keys), "list", listTasks);
    expect([answer.status, answer.json["code"]]).toEqual([403, "grant_unknown"]);
  });

  test("grant_suspended: the grant is suspended", async () => {
    const { keys, grant } = await grantAndEnroll(gateway, ada, everything);
    const { id } = federationGrants;
    await gateway.store.db.update(federationGrants).set({ status: "suspended" }).where(eq(id, grant.id));
    const answer = await gateway.ask(gateway.agent(keys), "list", listTasks);
    expect([answer.status, answer.json["code"]]).toEqual([403, "grant_suspended"]);
  });

  test("grant_inactive: the grant is pending", async () => {
    const admin = { userId: newId(), isAdmin: true };
    const input = { name: "home", subject: ada, scope: everything, expiresAt: null };
    const { grant } = await gateway.grants.create(admin, input);
    const keys = await issueClient(gateway.authority, { grantId: grant.id, subjectUserId: ada });
    await register(grant.id, keys);
    const answer = await gateway.ask(gateway.agent(keys), "list", listTasks);
    expect([answer.status, answer.json["code"]]).toEqual([403, "grant_inactive"]);
  });

  test("grant_revoked: revoked in the database while a connection is open", async () => {
    const { keys, grant } = await grantAndEnroll(gateway, ada, everything);
    const agent = gateway.agent(keys);
    expect((await gateway.ask(agent, "list", listTasks)).status).toBe(200);
    const revokedAt = new Date();
    await gateway.store.db
      .update(federationGrants)
      .set({ status: "revoked", revokedAt })
      .where(eq(federationGrants.id, grant.id));
    const answer = await gateway.ask(agent, "list", listTasks);
    expect([answer.status, answer.json["code"]]).toEqual([403, "grant_revoked"]);
  });

  test("grant_expired: the grant's end passes while a connection is open", async () => {
    const { keys, grant } = await grantAndEnroll(gateway, ada, everything);
    const agent = gateway.agent(keys);
    expect((await gateway.ask(agent, "list", listTasks)).status).toBe(200);
    const expiresAt = new Date(Date.now() + DAY_MS);
    await gateway.store.db.update(federationGrants).set({ expiresAt }).where(eq(federationGrants.id, grant.id));
    gateway.advance(2 * DAY_MS);
    const answer = await gateway.ask(agent, "list", listTasks);
    expect([answer.status, answer.json["code"]]).toEqual([403, "grant_expired"]);
  });

  test("grant_expired: the certificate's own end passes while a connection is open", async () => {
    const { keys } = await grantAndEnroll(gateway, ada, everything);
    const agent = gateway.agent(keys);
    expect((await gateway.ask(agent, "list", listTasks)).status).toBe(200);
    gateway.advance(8 * DAY_MS);
    const answer = await gateway.ask(agent, "list", listTasks);
    expect([answer.status, answer.json["code"]]).toEqual([403, "grant_expired"]);
  });

  test("resource_not_in_scope: excluded, not named and unknown answer alike, byte for byte", async () => {
    const { keys } = await grantAndEnroll(gateway, ada, {
      ...everything,
      resources: ["tasks", "credentials"],
      excluded_resources: ["credentials"],
    });
    const agent = gateway.agent(keys);
    const answers = await Promise.all(
      ["credentials", "notes", "nonsense", "__proto__"].map((resource) =>
        gateway.ask(agent, "list", { resource, limit: 1 }),
      ),
    );
    for (const answer of answers) {
      expect([answer.status, answer.json["code"]]).toEqual([403, "resource_not_in_scope"]);
      expect(withoutRequestId(answer.text)).toBe(withoutRequestId(answers[0]?.text ?? ""));
    }
  });
});

function withoutRequestId(text: string): string {
  return text.replace(/"request_id":"[^"]*"/, "");
}

describe("404 row_not_found", () => {
  test("absent, somebody else's and outside the scope answer alike, byte for byte", async () => {
    const grace = await addGrace();
    const inside = await addTeam(gateway.store, `inside-${ada}`, ada);
    const outside = await addTeam(gateway.store, `outside-${ada}`, ada);
    const rows = [
      newId(),
      await addTask(gateway.store, "grace's", grace),
      await addTask(gateway.store, "of a team outside the scope", ada, outside),
      await addTask(gateway.store, "personal, which the scope leaves out", ada),
    ];
    const { keys } = await grantAndEnroll(gateway, ada, { resources: ["tasks"], include_teams: [inside] });
    const agent = gateway.agent(keys);
    const visible = await addTask(gateway.store, "inside", grace, inside);
    expect((await gateway.ask(agent, "get", { resource: "tasks", id: visible })).status).toBe(200);
    const answers = await Promise.all(rows.map((id) => gateway.ask(agent, "get", { resource: "tasks", id })));
    for (const answer of answers) {
      expect([answer.status, answer.json["code"]]).toEqual([404, "row_not_found"]);
      expect(withoutRequestId(answer.text)).toBe(withoutRequestId(answers[0]?.text ?? ""));
    }
  });
});

describe("a bad request gets a clear problem", () => {
  test.each([
    ["malformed JSON", '{"resource":', 400, "request_malformed"],
    ["no body", "", 400, "request_malformed"],
    ["an array", "[]", 400, "request_malformed"],
    ["an unknown member", { ...listTasks, owner: "grace" }, 400, "request_malformed"],
    ["a limit of zero", { resource: "tasks", limit: 0 }, 400, "request_malformed"],
    ["a limit past the most", { resource: "tasks", limit: 1001 }, 400, "request_malformed"],
    ["a position that is no id", { ...listTasks, before: "'; drop table tasks" }, 400, "request_malformed"],
    ["a filter that does not exist", { ...listTasks, filters: { owner_id: "x" } }, 400, "request_malformed"],
    ["a filter's value that does not exist", { ...listTasks, filters: { status: "x" } }, 400, "request_malformed"],
    [
      "a filter named like a member of Object",
      { ...listTasks, filters: { constructor: "x" } },
      400,
      "request_malformed",
    ],
    ["a NUL in a filter", { ...listTasks, filters: { key: "a\0b" } }, 400, "request_malformed"],
  ])("%s", async (_name, body, status, code) => {
    const { keys } = await grantAndEnroll(gateway, ada, everything);
    const answer = await gateway.ask(gateway.agent(keys), "list", body);
    expect([answer.status, answer.json["code"]]).toEqual([status, code]);
    expect(answer.headers["content-type"]).toMatch(/^application\/problem\+json/);
    expect(answer.json["remedy"]).toEqual(expect.any(String));
  });

  test("an oversized body", async () => {
    const { keys } = await grantAndEnroll(gateway, ada, everything);
    const answer = await gateway.ask(gateway.agent(keys), "list", {
      ...listTasks,
      filters: { key: "x".repeat(70_000) },
    });
    expect([answer.status, answer.json["code"]]).toEqual([413, "body_too_large"]);
  });

  test("another content type", async () => {
    const { keys } = await grantAndEnroll(gateway, ada, everything);
    const answer = await gateway.ask(gateway.agent(keys), "list", listTasks, { "content-type": "text/xml" });
    expect([answer.status, answer.json["code"]]).toEqual([415, "media_type_unsupported"]);
  });

  test.each(["/federation/v1/delete", "/federation/v2/list", "/api/v1/tasks"])("the unknown verb %s", async (path) => {
    const { keys } = await grantAndEnroll(gateway, ada, everything);
    const answer = await gateway.ask(gateway.agent(keys), path, {});
    expect([answer.status, answer.json["code"]]).toEqual([404, "verb_unknown"]);
  });

  test("a header that names another subject changes nothing", async () => {
    const grace = await addGrace();
    await addTask(gateway.store, "grace's", grace);
    const { keys } = await grantAndEnroll(gateway, ada, everything);
    const answer = await gateway.ask(gateway.agent(keys), "list", listTasks, {
      "x-subject-user-id": grace,
      "x-client-cert": "anything",
      "x-forwarded-client-cert": `By=spiffe://x;Subject="${grace}"`,
    });
    expect(answer.json["rows"]).toEqual([]);
  });
});

describe("sessions and sockets", () => {
  test("a TLS session is not resumed", async () => {
    const { keys } = await grantAndEnroll(gateway, ada, everything);
    const { port, rootPem: ca } = gateway;
    const options = { host: "127.0.0.1", port, ca, ...keys, ALPNProtocols: ["http/1.1"] };
    const sessions: Buffer[] = [];
    const first = connect(options);
    first.on("session", (session: Buffer) => sessions.push(session));
    const body = JSON.stringify(listTasks);
    const head = `POST /federation/v1/list HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`;
    first.write(head + body);
    await new Promise((resolve) => first.once("data", resolve));
    first.destroy();
    const session = sessions.at(-1);
    if (session === undefined) return;
    const second = connect({ ...options, session });
    await new Promise((resolve) => second.once("secureConnect", resolve));
    const reused = second.isSessionReused();
    second.destroy();
    expect(reused).toBe(false);
  });

  test("revoking cuts the sockets that are open and refuses the next connection", async () => {
    const { keys, grant, admin } = await grantAndEnroll(gateway, ada, everything);
    const agent = gateway.agent(keys);
    expect((await gateway.ask(agent, "list", listTasks)).status).toBe(200);
    expect(gateway.liveSockets.count(grant.id)).toBe(1);
    await gateway.grants.revoke(admin, grant.id);
    await expect(gateway.ask(agent, "list", listTasks)).rejects.toThrow(/closed|reset|hang up/i);
    expect(gateway.liveSockets.count(grant.id)).toBe(0);
  });

  test("a request sent in the handshake's own flight waits for the certificate to be checked", async () => {
    const { keys } = await grantAndEnroll(gateway, ada, everything);
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => gateway.ask(gateway.agent(keys), "list", listTasks)),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 200));
  });
});

test("the scope's row cap bounds a page, says so, and the next page goes on", async () => {
  for (let index = 0; index < 7; index += 1) await addTask(gateway.store, `task ${index}`, ada);
  const { keys } = await grantAndEnroll(gateway, ada, { ...everything, max_rows_per_query: 3 });
  const agent = gateway.agent(keys);
  const seen: string[] = [];
  let before: string | undefined;
  for (const expected of [3, 3, 1]) {
    const { json } = await gateway.ask(agent, "list", { ...listTasks, ...(before === undefined ? {} : { before }) });
    const rows = json["rows"] as { id: string; title: string }[];
    expect([rows.length, json["limit"], json["more"]]).toEqual([expected, 3, expected === 3]);
    seen.push(...rows.map(({ title }) => title));
    before = rows.at(-1)?.id;
  }
  expect(seen).toEqual([6, 5, 4, 3, 2, 1, 0].map((index) => `task ${index}`));
});

test("no federated answer carries a credential's secret", async () => {
  const id = newId();
  const now = new Date();
  const sealedSecret = gateway.sealer.seal("canary-4711", { table: "credentials", column: "sealed_secret", rowId: id });
  const row = { id, ownerId: ada, name: "deploy", kind: "token", sealedSecret, createdAt: now, updatedAt: now };
  await gateway.store.db.insert(schema.credentials).values(row);
  const { keys } = await grantAndEnroll(gateway, ada, { ...everything, resources: ["credentials"] });
  const agent = gateway.agent(keys);
  const list = await gateway.ask(agent, "list", { resource: "credentials", limit: 5 });
  const get = await gateway.ask(agent, "get", { resource: "credentials", id });
  for (const { text, status } of [list, get]) {
    expect(status).toBe(200);
    expect(text).toContain("deploy");
    expect(text).not.toContain("canary-4711");
    expect(text).not.toContain(sealedSecret);
  }
});
