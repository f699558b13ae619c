import { once } from "node:events";
import { connect, type TLSSocket } from "node:tls";
import type { CertificateAuthority, IssuedCertificate } from "@mosaicstack/certificate-authority";
import { readCertificateRevocationList, createSigningRequest, RENEWAL_PATH } from "@mosaicstack/federation-protocol";
import { Problem } from "@mosaicstack/foundation";
import { schema } from "@mosaicstack/storage";
import { eq } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createRevocationOutbox } from "../src/index.ts";
import { OWN_TASKS } from "./grant-fixture.ts";
import {
  addTask,
  addUser,
  grantAndEnroll,
  inviteOf,
  type PeerKeys,
  type ServingGateway,
  startServingGateway,
} from "./serving-gateway.ts";

const listTasks = { resource: "tasks", limit: 10 };

/** The gateway's CA, whose signing a test can hold. */
function holdable(own: CertificateAuthority) {
  const state = { gate: Promise.resolve(), onAsked: (): void => undefined, issued: [] as IssuedCertificate[] };
  const authority: CertificateAuthority = {
    rootPem: own.rootPem,
    revoke: (revocation) => own.revoke(revocation),
    crl: () => own.crl(),
    async issue(request) {
      const issued = await own.issue(request);
      state.issued.push(issued);
      state.onAsked();
      await state.gate;
      return issued;
    },
  };
  /** From here on what is signed is not returned. */
  const hold = () => {
    let release = (): void => undefined;
    state.gate = new Promise((resolve) => (release = resolve));
    const asked = new Promise<void>((resolve) => (state.onAsked = resolve));
    return { asked, release, issued: () => state.issued.at(-1) };
  };
  return { authority, hold };
}

let gateway: ServingGateway;
let hold: ReturnType<typeof holdable>["hold"];
let ada: string;
beforeAll(async () => {
  gateway = await startServingGateway({
    authority(own) {
      const held = holdable(own);
      hold = held.hold;
      return held.authority;
    },
  });
  ada = await addUser(gateway.store, "ada");
  await addTask(gateway.store, "a task", ada);
});
afterAll(() => gateway.stop());

/** The keys after a renewal, used once. */
async function renew(keys: PeerKeys): Promise<PeerKeys> {
  const own = await createSigningRequest();
  const answer = await gateway.ask(gateway.agent(keys), RENEWAL_PATH, { csr: own.csrPem });
  expect(answer.status, answer.text).toBe(200);
  const renewed = { cert: String(answer.json["certificate"]), key: own.privateKeyPem };
  expect((await gateway.ask(gateway.agent(renewed), "list", listTasks)).status).toBe(200);
  return renewed;
}

/** What became of a new connection with these keys. */
async function outcomeOf(keys: PeerKeys): Promise<unknown> {
  await expect(gateway.ask(gateway.agent(keys), "list", listTasks)).rejects.toThrow(/closed|reset|hang up/i);
  return gateway.records.at(-1)?.outcome;
}

/** The serials on the CRL, once the CA has been told. */
async function listedSerials(): Promise<ReadonlySet<string>> {
  const { store, clock, authority } = gateway;
  await createRevocationOutbox({ store, clock, authority, onTold: () => undefined }).tellAuthority();
  const { der, issuerPem } = await authority.crl();
  const list = readCertificateRevocationList(der, { issuerPem, now: clock.now() });
  if (list.kind !== "valid") throw new Error(list.kind);
  return list.serials;
}

/** An open connection that has been answered once. */
async function keepAlive(keys: PeerKeys): Promise<TLSSocket> {
  const { port, rootPem: ca } = gateway;
  const socket = connect({ host: "127.0.0.1", port, ca, ...keys, ALPNProtocols: ["http/1.1"] });
  socket.on("error", () => undefined);
  const body = JSON.stringify(listTasks);
  socket.write(`${head(body.length)}${body}`);
  const [data] = (await once(socket, "data")) as [Buffer];
  expect(data.toString()).toContain("200 OK");
  return socket;
}

function head(contentLength: number): string {
  return `POST /federation/v1/list HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${contentLength}\r\n\r\n`;
}

/** How long the socket outlives the moment, in ms. */
async function lifeAfter(socket: TLSSocket, startedAt: number): Promise<number> {
  await closed(socket);
  return performance.now() - startedAt;
}

/** Also where it ends by an error, which is what a peer that is cut sees. */
async function closed(socket: TLSSocket): Promise<void> {
  if (!socket.closed) await new Promise((resolve) => socket.once("close", resolve));
}

describe("sharp edge 1", () => {
  test("sharp edge 1: enroll, renew twice, revoke: all three certificates are refused and on the CRL", async () => {
    const { keys, grant, admin } = await grantAndEnroll(gateway, ada, OWN_TASKS);
    const second = await renew(keys);
    const third = await renew(second);
    const revoked = await gateway.grants.revoke(admin, grant.id);
    expect(revoked.certificates.map(({ generation, state }) => [generation, state])).toEqual([
      [3, "revoked"],
      [2, "revoked"],
      [1, "revoked"],
    ]);
    for (const each of [keys, second, third]) expect(await outcomeOf(each)).toBe("certificate_revoked");
    const listed = await listedSerials();
    for (const { serial } of revoked.certificates) expect(listed.has(serial)).toBe(true);
  });

  test("sharp edge 1: revoked while the CA signs a renewal: no usable certificate comes out", async () => {
    const { keys, grant, admin } = await grantAndEnroll(gateway, ada, OWN_TASKS);
    const own = await createSigningRequest();
    const { asked, release, issued } = hold();
    const answer = gateway.ask(gateway.agent(keys), RENEWAL_PATH, { csr: own.csrPem }).then(
      ({ status }) => status,
      () => "cut",
    );
    await asked;
    await gateway.grants.revoke(admin, grant.id);
    release();
    expect(await answer).toBe("cut");
    await expectUnusable(grant.id, issued(), own.privateKeyPem);
  });

  test("sharp edge 1: revoked while the CA signs an enrollment: no usable certificate comes out", async () => {
    const admin = { userId: ada, isAdmin: true };
    const made = await gateway.grants.create(admin, { name: "home", subject: ada, scope: OWN_TASKS, expiresAt: null });
    const own = await createSigningRequest();
    const { asked, release, issued } = hold();
    const { token } = inviteOf(made.invite.url);
    const answer = gateway.enrollment.redeem({ protocol: 1, token, csr: own.csrPem }).then(
      () => "delivered",
      (error: unknown) => (error instanceof Problem ? error.status : error),
    );
    await asked;
    await gateway.grants.revoke(admin, made.grant.id);
    release();
    expect(await answer).toBe(410);
    await expectUnusable(made.grant.id, issued(), own.privateKeyPem);
  });

  /** The certificate that the CA signed meanwhile is refused, and told of: nobody has it, and nobody could use it. */
  async function expectUnusable(grantId: string, issued: IssuedCertificate | undefined, key: string): Promise<void> {
    if (issued === undefined) throw new Error("nothing was signed");
    const { federationCertificates } = schema;
    const { serial } = issued;
    const recorded = async () =>
      (
        await gateway.store.db.select().from(federationCertificates).where(eq(federationCertificates.serial, serial))
      )[0];
    // A peer that was cut is gone before its request is finished here.
    await expect.poll(recorded).toMatchObject({ grantId, revokedAt: expect.any(Date) as Date });
    expect(await outcomeOf({ cert: issued.certificatePem, key })).toBe("certificate_revoked");
    expect((await listedSerials()).has(serial)).toBe(true);
  }
});

describe("sharp edge 2", () => {
  test("sharp edge 2: a kept-alive socket is dead within a second of the revocation", async () => {
    const { keys, grant, admin } = await grantAndEnroll(gateway, ada, OWN_TASKS);
    const sockets = await Promise.all(Array.from({ length: 5 }, () => keepAlive(keys)));
    expect(await gateway.grants.previewRevocation(admin, grant.id)).toMatchObject({ openSockets: 5 });
    const startedAt = performance.now();
    await gateway.grants.revoke(admin, grant.id);
    for (const socket of sockets) expect(await lifeAfter(socket, startedAt)).toBeLessThan(1_000);
    expect(gateway.liveSockets.count(grant.id)).toBe(0);
  });

  test("sharp edge 2: a request that is still being sent is dead within a second of the revocation", async () => {
    const { keys, grant, admin } = await grantAndEnroll(gateway, ada, OWN_TASKS);
    const socket = await keepAlive(keys);
    const body = JSON.stringify(listTasks);
    socket.write(head(body.length) + body.slice(0, 10));
    let answered = 0;
    socket.on("data", (data: Buffer) => (answered += data.length));
    const startedAt = performance.now();
    await gateway.grants.revoke(admin, grant.id);
    expect(await lifeAfter(socket, startedAt)).toBeLessThan(1_000);
    expect(answered).toBe(0);
  });

  test("sharp edge 2: a saved TLS session opens nothing after the revocation", async () => {
    const { keys, grant, admin } = await grantAndEnroll(gateway, ada, OWN_TASKS);
    const sessions: Buffer[] = [];
    const { port, rootPem: ca } = gateway;
    const first = connect({ host: "127.0.0.1", port, ca, ...keys, ALPNProtocols: ["http/1.1"] });
    first.on("error", () => undefined).on("session", (session: Buffer) => sessions.push(session));
    const body = JSON.stringify(listTasks);
    first.write(`${head(body.length)}${body}`);
    await once(first, "data");
    await gateway.grants.revoke(admin, grant.id);
    const session = sessions.at(-1) ?? first.getSession();
    const saved = session === undefined ? {} : { session };
    const second = connect({ host: "127.0.0.1", port, ca, ...keys, ...saved, ALPNProtocols: ["http/1.1"] });
    second.on("error", () => undefined);
    second.write(`${head(body.length)}${body}`);
    let answered = 0;
    second.on("data", (data: Buffer) => (answered += data.length));
    let isReused: boolean | undefined;
    second.on("secureConnect", () => (isReused = second.isSessionReused()));
    await closed(second);
    expect([answered, isReused]).toEqual([0, false]);
    expect(gateway.records.at(-1)).toMatchObject({ outcome: "certificate_revoked" });
  });
});

describe("what takes effect on an open connection", () => {
  test("a narrower scope, with the next request", async () => {
    const { keys, grant, admin } = await grantAndEnroll(gateway, ada, OWN_TASKS);
    const agent = gateway.agent(keys);
    expect((await gateway.ask(agent, "list", listTasks)).status).toBe(200);
    await gateway.grants.edit(admin, grant.id, { scope: { ...OWN_TASKS, resources: ["notes"] } });
    const answer = await gateway.ask(agent, "list", listTasks);
    expect([answer.status, answer.json["code"]]).toEqual([403, "resource_not_in_scope"]);
    await gateway.grants.edit(admin, grant.id, { scope: OWN_TASKS });
    expect((await gateway.ask(agent, "list", listTasks)).status).toBe(200);
  });

  test("a suspension: the socket is cut, every request refused, until it is resumed", async () => {
    const { keys, grant, admin } = await grantAndEnroll(gateway, ada, OWN_TASKS);
    const socket = await keepAlive(keys);
    const startedAt = performance.now();
    await gateway.grants.suspend(admin, grant.id);
    expect(await lifeAfter(socket, startedAt)).toBeLessThan(1_000);
    const refused = await gateway.ask(gateway.agent(keys), "list", listTasks);
    expect([refused.status, refused.json["code"]]).toEqual([403, "grant_suspended"]);
    await gateway.grants.resume(admin, grant.id);
    expect((await gateway.ask(gateway.agent(keys), "list", listTasks)).status).toBe(200);
  });

  test("a sooner end, from then on", async () => {
    const { keys, grant, admin } = await grantAndEnroll(gateway, ada, OWN_TASKS);
    const agent = gateway.agent(keys);
    expect((await gateway.ask(agent, "list", listTasks)).status).toBe(200);
    await gateway.grants.edit(admin, grant.id, { expiresAt: new Date(gateway.clock.now().getTime() + 60_000) });
    expect((await gateway.ask(agent, "list", listTasks)).status).toBe(200);
    gateway.advance(61_000);
    const answer = await gateway.ask(agent, "list", listTasks);
    gateway.setClockRight();
    expect([answer.status, answer.json["code"]]).toEqual([403, "grant_expired"]);
  });
});
