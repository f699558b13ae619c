import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { connect as connectTcp } from "node:net";
import { setTimeout } from "node:timers/promises";
import { connect, type TLSSocket } from "node:tls";
import type { Store } from "@mosaicstack/storage";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createListener, issueServerCertificate } from "../src/index.ts";
import { addUser, grantAndEnroll, type PeerKeys, type ServingGateway, startServingGateway } from "./serving-gateway.ts";

let gateway: ServingGateway;
let ada: string;
const everything = { resources: ["tasks"], include_personal: true };
const listTasks = { resource: "tasks", limit: 1 };

beforeAll(async () => {
  gateway = await startServingGateway();
  ada = await addUser(gateway.store, "ada");
});
afterAll(() => gateway.stop());

function open(keys: Partial<PeerKeys>, port = gateway.port): TLSSocket {
  const socket = connect({ host: "127.0.0.1", port, ca: gateway.rootPem, ...keys, ALPNProtocols: ["http/1.1"] });
  return socket.on("error", () => undefined);
}

function post(path = "/federation/v1/list", headers = ""): string {
  const body = JSON.stringify(listTasks);
  return `POST ${path} HTTP/1.1\r\nhost: x\r\n${headers}content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
}

/** What comes back until the connection ends, or `pattern` has come. */
async function answerTo(socket: TLSSocket, text: string, pattern: RegExp): Promise<string> {
  let answer = "";
  const done = new Promise<void>((resolve) => {
    socket.on("close", () => resolve());
    socket.on("data", (data: Buffer) => {
      answer += data.toString();
      if (pattern.test(answer)) resolve();
    });
  });
  socket.write(text);
  await done;
  socket.destroy();
  return answer;
}

test("a connection that is being admitted while its grant is revoked is cut, unanswered", async () => {
  const { keys, grant, admin } = await grantAndEnroll(gateway, ada, everything);
  let lookedUp = false;
  /** Revokes between the look-up of the serial and the decision on it. */
  const store: Pick<Store, "query" | "readAsPeer"> = {
    readAsPeer: (bounds, work) => gateway.store.readAsPeer(bounds, work),
    async query<Row extends object>(sql: string, parameters: readonly unknown[]) {
      const rows = await gateway.store.query<Row>(sql, parameters);
      if (!lookedUp) {
        lookedUp = true;
        await gateway.grants.revoke(admin, grant.id);
      }
      return rows;
    },
  };
  const certificate = await issueServerCertificate(gateway.authority, gateway.clock, []);
  const listener = createListener({
    ...gateway,
    host: "127.0.0.1",
    port: 0,
    certificate,
    store,
    maxRowsPerQuery: 200,
    record: (entry) => gateway.records.push(entry),
  });
  const { port } = await listener.start();
  try {
    expect(await answerTo(open(keys, port), post(), /\r\n\r\n/)).toBe("");
    expect(lookedUp).toBe(true);
  } finally {
    await listener.stop();
  }
});

test("nothing sent before admission is answered to a certificate that is refused", async () => {
  const { keys, grant, admin } = await grantAndEnroll(gateway, ada, everything);
  await gateway.grants.revoke(admin, grant.id);
  const before = gateway.records.length;
  expect(await answerTo(open(keys), post() + post(), /\r\n\r\n/)).toBe("");
  const verbs = gateway.records.slice(before).map(({ verb }) => verb);
  expect(new Set(verbs)).toEqual(new Set(["connect"]));
});

test("requests behind one another on a socket are each judged: after a revocation none of them is answered with rows", async () => {
  const { keys, grant, admin } = await grantAndEnroll(gateway, ada, everything);
  const socket = open(keys);
  expect(await answerTo(socket, post() + post(), /"more":[\s\S]*"more":/)).toMatch(/^HTTP\/1\.1 200/);
  const next = open(keys);
  await once(next, "secureConnect");
  await gateway.grants.revoke(admin, grant.id);
  expect(await answerTo(next, post() + post(), /never/)).not.toContain('"rows"');
});

test("a renewed server certificate keeps every rule of the one before", async () => {
  const { keys } = await grantAndEnroll(gateway, ada, everything);
  const before = gateway.agent(keys);
  expect((await gateway.ask(before, "list", listTasks)).status).toBe(200);
  const renewed = await issueServerCertificate(gateway.authority, gateway.clock, []);
  gateway.listener.present(renewed);

  expect((await gateway.ask(before, "list", listTasks)).status).toBe(200);
  await expect(gateway.ask(gateway.agent({}), "list", listTasks)).rejects.toThrow(/closed|reset|hang up/i);
  expect((await gateway.ask(gateway.agent(keys), "list", listTasks)).status).toBe(200);

  const old = connect({ host: "127.0.0.1", port: gateway.port, ca: gateway.rootPem, ...keys, maxVersion: "TLSv1.2" });
  const [error] = (await once(old, "error")) as [Error & { code?: string }];
  expect(error.code).toMatch(/PROTOCOL_VERSION|ECONNRESET/);

  const first = open(keys);
  const sessions: Buffer[] = [];
  first.on("session", (session: Buffer) => sessions.push(session));
  await answerTo(first, post(), /"more"/);
  const session = sessions.at(-1);
  if (session === undefined) return;
  const second = connect({ host: "127.0.0.1", port: gateway.port, ca: gateway.rootPem, ...keys, session });
  await once(second, "secureConnect");
  expect(second.isSessionReused()).toBe(false);
  second.destroy();
});

test.each([
  ["an address that cannot be decoded", post("/federation/v1/%ZZ"), /^HTTP\/1\.1 404 [\s\S]*"code":"verb_unknown"/],
  ["two lengths", post(undefined, "content-length: 3\r\n"), /^HTTP\/1\.1 400 /],
  ["a length and chunks", post(undefined, "transfer-encoding: chunked\r\n"), /^HTTP\/1\.1 400 /],
  ["a folded header", post(undefined, "a: b\r\n c\r\n"), /^HTTP\/1\.1 400 /],
  ["headers of 20 kB", post(undefined, `x: ${"y".repeat(20_000)}\r\n`), /^HTTP\/1\.1 431 /],
  ["HTTP/2 without being asked", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", /^HTTP\/1\.1 400 /],
  ["CONNECT", "CONNECT x:443 HTTP/1.1\r\nhost: x\r\n\r\n", /^$/],
])("%s is refused, and no row is given", async (_name, text, expected) => {
  const { keys } = await grantAndEnroll(gateway, ada, everything);
  const answer = await answerTo(open(keys), text, /\r\n\r\n[^]+/);
  expect(answer).toMatch(expected);
  expect(answer).not.toContain('"rows"');
});

test("HTTP/2 alone is refused in the handshake", async () => {
  const { keys } = await grantAndEnroll(gateway, ada, everything);
  const socket = connect({
    host: "127.0.0.1",
    port: gateway.port,
    ca: gateway.rootPem,
    ...keys,
    ALPNProtocols: ["h2"],
  });
  const [error] = (await once(socket, "error")) as [Error & { code?: string }];
  expect(error.code).toMatch(/NO_APPLICATION_PROTOCOL|ECONNRESET/);
});

test("connections that break off at any moment leave the listener serving", async () => {
  const { keys, grant } = await grantAndEnroll(gateway, ada, everything);
  const faults: unknown[] = [];
  const note = (fault: unknown) => void faults.push(fault);
  process.on("unhandledRejection", note).on("uncaughtException", note);
  try {
    const broken = Array.from({ length: 24 }, async (_, index) => {
      const socket =
        index % 3 === 0
          ? connectTcp(gateway.port, "127.0.0.1").on("error", () => undefined)
          : open(index % 3 === 1 ? keys : {});
      socket.write(index % 2 === 0 ? post() : randomUUID());
      await setTimeout(index * 10);
      socket.destroy();
    });
    await Promise.all(broken);
    expect((await gateway.ask(gateway.agent(keys), "list", listTasks)).status).toBe(200);
    await expect.poll(() => gateway.liveSockets.count(grant.id)).toBe(1);
  } finally {
    process.off("unhandledRejection", note).off("uncaughtException", note);
  }
  expect(faults).toEqual([]);
});
