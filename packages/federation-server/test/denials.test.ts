import { randomUUID } from "node:crypto";
import { connect } from "node:tls";
import { newId } from "@mosaicstack/foundation";
import { schema } from "@mosaicstack/storage";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { issueServerCertificate } from "../src/index.ts";
import { addTask, addUser, grantAndEnroll, type ServingGateway, startServingGateway } from "./serving-gateway.ts";

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

test("dropped before HTTP: a server certificate of our CA used as a client's", async () => {
  const { cert, key } = await issueServerCertificate(gateway.authority, gateway.clock, ["client.test"]);
  await expect(gateway.ask(gateway.agent({ cert, key }), "list", listTasks)).rejects.toThrow(/closed|reset|hang up/i);
  expect(gateway.records.at(-1)).toMatchObject({ verb: "connect", outcome: "certificate_untrusted" });
});

describe("what a request says of itself", () => {
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
