import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createSigningRequest, formatInvite, type Invite, readInvite } from "@mosaicstack/federation-protocol";
import { type Json, type Relay, startRelay } from "@mosaicstack/harness";
import pg from "pg";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type GatewayProcess, startGatewayProcess } from "./gateway-process.ts";
import { type PrivateServices, startServices } from "./real-gateway.ts";

/**
 * Sharp edge 3 between two gateways in processes of their own, work's certificates by step-ca: however an enrollment is cut short, the
 * same invite given again ends with that peer enrolled, by one certificate.
 */
const SLOW_MS = 120_000;
const PEERS = "/api/v1/federation/peers";
const GRANTS = "/api/v1/federation/grants";

let workServices: PrivateServices;
let homeServices: PrivateServices;
/** In front of work's people listener, where invites are redeemed. */
let relay: Relay;
let database: pg.Client;
let work: GatewayProcess;
let home: GatewayProcess;
const secrets = { work: randomBytes(32).toString("hex"), home: randomBytes(32).toString("hex") };
let atWork: string;
let atHome: string;
let count = 0;
/** The peer of the test at hand. */
let peer: string;

beforeAll(async () => {
  [workServices, homeServices, relay] = await Promise.all([
    startServices({ stepCa: true }),
    startServices(),
    startRelay(),
  ]);
  database = new pg.Client({ connectionString: workServices.postgresql.url });
  await database.connect();
  await Promise.all([startWork(), startHome()]);
  [atWork, atHome] = await Promise.all([setUp(work), setUp(home)]);
  await ask(work, atWork, "POST", "/api/v1/tasks", { title: "from work" });
});
beforeEach(() => {
  peer = `peer-${(count += 1)}`;
  relay.behave("pass");
});
afterAll(async () => {
  await Promise.all([work?.stop(), home?.stop(), database?.end()]);
  await Promise.all([relay?.stop(), workServices?.stop(), homeServices?.stop()]);
});

async function startWork(): Promise<void> {
  const { stepCa } = workServices;
  if (stepCa === undefined) throw new Error("no step-ca");
  work = await startGatewayProcess({
    services: workServices.addresses,
    secret: secrets.work,
    environment: {
      MOSAIC_CERTIFICATE_AUTHORITY_URL: stepCa.url,
      MOSAIC_CERTIFICATE_AUTHORITY_ROOT_FILE: stepCa.gateway.rootFile,
      STEP_CA_PROVISIONER_KEY_FILE: stepCa.gateway.provisionerKeyFile,
      STEP_CA_PROVISIONER_PASSWORD_FILE: stepCa.gateway.provisionerPasswordFile,
    },
  });
  relay.target(Number(new URL(work.people).port));
}

async function startHome(): Promise<void> {
  home = await startGatewayProcess({ services: homeServices.addresses, secret: secrets.home });
}

/** The API key of the first administrator. */
async function setUp(gateway: GatewayProcess): Promise<string> {
  const claim = { name: "Ada", email: "ada@example.test", password: "correct horse battery staple" };
  const { json } = await call(gateway, undefined, "POST", "/api/v1/setup", { ...claim, code: gateway.setupCode });
  return json.api_key;
}

async function call(
  { people }: GatewayProcess,
  key: string | undefined,
  method: string,
  path: string,
  body?: object,
): Promise<{ readonly status: number; readonly json: Json }> {
  const answer = await fetch(new URL(path, people), {
    method,
    headers: {
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: answer.status, json: await answer.json() };
}

/** The body of an answer that has to be a success. */
async function ask(gateway: GatewayProcess, key: string, method: string, path: string, body?: object): Promise<Json> {
  const { status, json } = await call(gateway, key, method, path, body);
  expect([200, 201], JSON.stringify(json)).toContain(status);
  return json;
}

/** A grant, and an invite that leads through the relay. */
async function invited(): Promise<{ readonly grantId: string; readonly invite: string; readonly token: string }> {
  const scope = { resources: ["tasks"], include_personal: true };
  const { grant, invite } = await ask(work, atWork, "POST", GRANTS, { name: peer, subject: "Ada", scope });
  const parts = partsOf(invite);
  const enrollUrl = `http://127.0.0.1:${relay.port}/enroll`;
  return { grantId: grant.id, invite: formatInvite({ ...parts, enrollUrl }), token: parts.token };
}

function partsOf(text: string): Invite {
  const reading = readInvite(text);
  if (reading.kind === "malformed") throw new Error(reading.reason);
  return reading.invite;
}

const add = async (invite: string) => await call(home, atHome, "POST", PEERS, { invite, name: peer });
const stateAtHome = async (): Promise<string | undefined> => {
  const { peers } = await ask(home, atHome, "GET", PEERS);
  return peers.find(({ name }: Json) => name === peer)?.state;
};

/** How many certificates step-ca has signed so far, listeners' included. */
async function signed(): Promise<number> {
  const log = await readFile(join(workServices.stepCa?.directory ?? "", "log"), "utf8");
  return log.split("\n").filter((line) => /\/1\.0\/sign"/.test(line) && /"status":\s?201/.test(line)).length;
}

/**
 * Does something while work's database lets nobody write down a certificate, once work waits for that: step-ca has signed, and
 * nothing is committed.
 */
async function betweenSigningAndCommit(act: () => Promise<void>): Promise<void> {
  await database.query("begin");
  try {
    await database.query("lock table federation_certificates in share mode");
    await act();
  } finally {
    await database.query("rollback");
  }
}

async function waitsToCommit(): Promise<void> {
  const waiting = "select count(*)::int as count from pg_locks where not granted and relation = $1::regclass";
  const counted = async () => (await database.query(waiting, ["federation_certificates"])).rows[0]?.count;
  await expect.poll(counted, { timeout: 20_000, interval: 20 }).toBe(1);
}

/** What every ending must come to, by the same invite once more. */
async function endsWell({ grantId, invite, token }: Awaited<ReturnType<typeof invited>>): Promise<void> {
  const joined = await add(invite);
  expect([200, 201], JSON.stringify(joined.json)).toContain(joined.status);
  expect(joined.json).toMatchObject({ name: peer, state: "active", grant_id: grantId });
  const { rows, partial } = await ask(home, atHome, "GET", `/api/v1/tasks?source=federated:${peer}`);
  expect([rows.map(({ title }: Json) => title), partial]).toEqual([["from work"], false]);
  // One, and confirmed: that gateway's key has used it.
  const grant = await ask(work, atWork, "GET", `${GRANTS}/${grantId}`);
  expect(grant).toMatchObject({
    status: "active",
    certificates: [{ revoked_at: null, confirmed_at: expect.any(String) }],
  });
  const { csrPem } = await createSigningRequest();
  const stranger = await call(work, undefined, "POST", "/enroll", { protocol: 1, token, csr: csrPem });
  expect([stranger.status, stranger.json.code]).toEqual([410, "enrollment_refused"]);
}

test(
  "sharp edge 3: the answer is dropped: the same invite gets the certificate that was made",
  async () => {
    const grant = await invited();
    const before = await signed();
    relay.behave("swallow answers");
    const lost = await add(grant.invite);
    expect([lost.status, lost.json.code]).toEqual([502, "peer_unreachable"]);
    expect(await stateAtHome()).toBe("pending");
    relay.behave("pass");
    await endsWell(grant);
    expect((await signed()) - before).toBe(1);
  },
  SLOW_MS,
);

test(
  "sharp edge 3: B is killed after step-ca has signed and before it commits: the same invite ends it",
  async () => {
    const grant = await invited();
    const before = await signed();
    await betweenSigningAndCommit(async () => {
      const lost = add(grant.invite);
      await waitsToCommit();
      expect((await signed()) - before, "step-ca has signed").toBe(1);
      await work.kill();
      expect((await lost).status).toBeGreaterThanOrEqual(500);
    });
    expect(await stateAtHome()).toBe("pending");
    const stored = await database.query("select serial from federation_certificates where grant_id = $1", [
      grant.grantId,
    ]);
    expect(stored.rows, "nothing was committed").toEqual([]);
    await startWork();
    await endsWell(grant);
  },
  SLOW_MS,
);

test(
  "sharp edge 3: A is killed while it waits for the answer: started again, the same invite ends it",
  async () => {
    const grant = await invited();
    const before = await signed();
    await betweenSigningAndCommit(async () => {
      const lost = add(grant.invite).catch(() => "no answer");
      await waitsToCommit();
      await home.kill();
      expect(await lost).toBe("no answer");
    });
    const isActive = async () => (await ask(work, atWork, "GET", `${GRANTS}/${grant.grantId}`)).status;
    await expect.poll(isActive, { timeout: 10_000 }).toBe("active");
    await startHome();
    expect(await stateAtHome()).toBe("pending");
    await endsWell(grant);
    expect((await signed()) - before, "the answer was there already").toBe(1);
  },
  SLOW_MS,
);

test(
  "sharp edge 3: A is killed, and work finishes nothing either: the same invite ends it",
  async () => {
    const grant = await invited();
    await betweenSigningAndCommit(async () => {
      const lost = add(grant.invite).catch(() => "no answer");
      await waitsToCommit();
      await Promise.all([home.kill(), work.kill()]);
      expect(await lost).toBe("no answer");
    });
    await Promise.all([startWork(), startHome()]);
    expect(await stateAtHome()).toBe("pending");
    await endsWell(grant);
  },
  SLOW_MS,
);

test(
  "sharp edge 3: step-ca is down: refused, and the same invite ends it once it is back",
  async () => {
    const grant = await invited();
    await workServices.stepCa?.kill();
    try {
      const refused = await add(grant.invite);
      expect(refused.status).toBeGreaterThanOrEqual(500);
      expect(await stateAtHome()).toBe("pending");
      expect(await ask(work, atWork, "GET", `${GRANTS}/${grant.grantId}`)).toMatchObject({
        status: "pending",
        certificates: [],
      });
    } finally {
      await workServices.stepCa?.restart();
    }
    await endsWell(grant);
  },
  SLOW_MS,
);
