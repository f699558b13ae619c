import { once } from "node:events";
import { connect, type TLSSocket } from "node:tls";
import { openEmbeddedAuthority } from "@mosaicstack/certificate-authority";
import { newId } from "@mosaicstack/foundation";
import { schema } from "@mosaicstack/storage";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createListener, issueServerCertificate, type Listener } from "../src/index.ts";
import { MOST_SOCKETS } from "../src/admission.ts";
import { MOST_REFUSALS } from "../src/serving-audit.ts";
import {
  addUser,
  grantAndEnroll,
  issueClient,
  newAuthority,
  type PeerKeys,
  type ServingGateway,
  startServingGateway,
} from "./serving-gateway.ts";

const everything = { resources: ["tasks", "notes"], include_personal: true };
let gateway: ServingGateway;
let ada: string;
beforeAll(async () => {
  gateway = await startServingGateway();
  ada = await addUser(gateway.store, "ada");
});
afterAll(() => gateway.stop());

function open(keys: Partial<PeerKeys>, port = gateway.port): TLSSocket {
  const socket = connect({ host: "127.0.0.1", port, ca: gateway.rootPem, ...keys, ALPNProtocols: ["http/1.1"] });
  return socket.on("error", () => undefined);
}

const closed = (socket: TLSSocket) => new Promise<void>((resolve) => socket.once("close", () => resolve()));

function post(resource: string, limit: number, headers = "host: x\r\n"): string {
  const body = JSON.stringify({ resource, limit });
  return `POST /federation/v1/list HTTP/1.1\r\n${headers}content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
}

describe("a stranger", () => {
  test("cannot fill the audit by claiming another grant with each certificate that another CA signed", async () => {
    const other = await openEmbeddedAuthority({ ...(await newAuthority(gateway.clock)), clock: gateway.clock });
    for (let index = 0; index < MOST_REFUSALS + 20; index += 1) {
      await closed(open(await issueClient(other, { grantId: newId(), subjectUserId: newId() })));
    }
    await gateway.auditQueue.flush();
    const sql = "select count(*)::int as count from federation_audit_log where outcome = 'certificate_untrusted'";
    expect((await gateway.store.query<{ count: number }>(sql, []))[0]?.count).toBe(MOST_REFUSALS);
  });
});

describe("a peer", () => {
  test.each([
    ["with an expectation that nobody knows", post("tasks", 1, "host: x\r\nexpect: nonsense\r\n"), "list", "ok"],
    ["without a host", post("tasks", 1, ""), "list", "request_malformed"],
    ["with two lengths", post("tasks", 1, "host: x\r\ncontent-length: 3\r\n"), "connect", "request_malformed"],
    [
      "with endless headers",
      post("tasks", 1, `host: x\r\nx: ${"y".repeat(20_000)}\r\n`),
      "connect",
      "request_malformed",
    ],
    ["for a tunnel", "CONNECT x:443 HTTP/1.1\r\nhost: x\r\n\r\n", "connect", "verb_unknown"],
  ])("cannot ask %s, and not be recorded", async (_name, text, verb, outcome) => {
    const { keys, grant } = await grantAndEnroll(gateway, ada, everything);
    const socket = open(keys);
    socket.write(text);
    const records = () => gateway.records.filter(({ grantId }) => grantId === grant.id);
    await expect.poll(records, { timeout: 3000 }).toMatchObject([{ verb, outcome }]);
    socket.destroy();
  });

  test("that goes away has its turns back, also those of requests whose answers waited behind another", async () => {
    const { keys, grant } = await grantAndEnroll(gateway, ada, everything);
    await addLargeNotes(60);
    const socket = open(keys).pause();
    socket.write(post("notes", 200).repeat(16));
    const records = () => gateway.records.filter(({ grantId }) => grantId === grant.id).length;
    await expect.poll(records, { timeout: 10_000 }).toBe(16);
    socket.destroy();
    const limit = { perMinute: grant.requestsPerMinute, concurrent: 1 };
    await expect.poll(async () => (await gateway.limits.take(`grant:${grant.id}`, limit)).kind).toBe("taken");
  });

  test("cannot open so many connections that the process has none left for others", async () => {
    const { keys, grant } = await grantAndEnroll(gateway, ada, everything);
    await gateway.ask(gateway.agent(keys), "capabilities", {});
    // All at once: the first one must not be idle for too long by the time the last one is there.
    const sockets = Array.from({ length: MOST_SOCKETS + 10 }, () => open(keys));
    await Promise.all(sockets.map((socket) => once(socket, "secureConnect")));
    await expect.poll(() => gateway.liveSockets.count(grant.id), { timeout: 5000 }).toBe(MOST_SOCKETS);
    expect(gateway.records.at(-1)).toMatchObject({
      verb: "connect",
      outcome: "certificate_too_many",
      grantId: grant.id,
    });
    for (const socket of sockets) socket.destroy();
    await expect.poll(() => gateway.liveSockets.count(grant.id), { timeout: 5000 }).toBe(1);
  }, 60_000);

  describe("that does not take its answers", () => {
    let hasty: Listener;
    afterAll(() => hasty.stop());

    test("is cut off, so that they are not held for it without end", async () => {
      const certificate = await issueServerCertificate(gateway.authority, gateway.clock, []);
      const address = { host: "127.0.0.1", port: 0, certificate, maxRowsPerQuery: 200, answerTimeoutMs: 500 };
      hasty = createListener({ ...gateway, ...address, record: () => undefined });
      const { port } = await hasty.start();
      const { keys, grant } = await grantAndEnroll(gateway, ada, everything);
      await addLargeNotes(140);
      const socket = open(keys, port).pause();
      socket.write(post("notes", 200).repeat(8));
      await expect.poll(() => gateway.liveSockets.count(grant.id), { timeout: 3000 }).toBe(1);
      await expect.poll(() => gateway.liveSockets.count(grant.id), { timeout: 6000 }).toBe(0);
      socket.destroy();
    });
  });
});

async function addLargeNotes(count: number): Promise<void> {
  const now = new Date();
  const properties = { filler: "y".repeat(15_000) };
  const note = { ownerId: ada, title: "large", body: "", properties, createdAt: now, updatedAt: now };
  await gateway.store.db.insert(schema.notes).values(Array.from({ length: count }, () => ({ ...note, id: newId() })));
}
