import { createPrivateKey } from "node:crypto";
import { readInvite } from "@mosaicstack/federation-protocol";
import {
  dumpDatabase,
  enroll,
  listEverything,
  startGateway,
  type TestGateway,
  type TestUser,
} from "@mosaicstack/harness";
import { createSealer } from "@mosaicstack/storage";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { servingRecords } from "./serving-records.ts";

const SCOPE = { resources: ["tasks", "notes", "memory", "teams"], include_teams: "all", include_personal: true };
const SECRET_OF_WORK = "hunter2-of-work-4711";

/** In every text of a row of work, and nowhere else. */
const CANARY = "kanarienvogel-7f3a";

let home: TestGateway;
let work: TestGateway;
let ada: TestUser;
let grace: TestUser;
const tokens: string[] = [];

function remember(invite: string): string {
  const reading = readInvite(invite);
  if (reading.kind === "malformed") throw new Error(reading.reason);
  tokens.push(reading.invite.token);
  return invite;
}

/** One text of all a gateway stored. */
async function stored({ store }: TestGateway): Promise<string> {
  return [...(await dumpDatabase(store)).values()].flat().join("\n");
}

/** What a gateway wrote down or told: log, and the bodies of its refusals. */
const told = ({ log, refusals }: TestGateway): string => [...log, ...refusals].join("\n");

/** A key in the ways it could be written: PEM or DER in base64, and the number itself in hex. */
function spellings(privateKeyPem: string): string[] {
  const key = createPrivateKey(privateKeyPem);
  const { d = "" } = key.export({ format: "jwk" });
  const body = privateKeyPem.replaceAll(/-----[^-]+-----|\s/g, "");
  // PKCS #8 of P-256 is 36 bytes, the key's 32, and then the public key, which is no secret.
  return [body.slice(48, 88), d, Buffer.from(d, "base64url").toString("hex")];
}

/** Line breaks of a PEM, as they are and as JSON writes them, would hide it from a search. */
const flat = (text: string): string => text.replaceAll(/\\n|\\r|\s/g, "");

beforeAll(async () => {
  [home, work] = await Promise.all([
    startGateway({ tier: "federated", name: "home" }),
    startGateway({ tier: "federated", name: "work" }),
  ]);
  ada = await home.addUser("Ada");
  grace = await work.addUser(`Grace ${CANARY}`);
  const team = await work.addTeam(`Team ${CANARY}`, grace);
  await ada.api.json("POST", "/api/v1/tasks", { title: "ada's own canary: zeisig" });
  for (let index = 0; index < 3; index++) {
    const team_id = index === 1 ? team : null;
    const text = `${CANARY} ${index}`;
    const properties = { [text]: { deep: [text] } };
    await grace.api.json("POST", "/api/v1/tasks", { title: text, description: text, key: text, team_id, properties });
    await grace.api.json("POST", "/api/v1/notes", { title: text, body: text.repeat(50), key: text, team_id });
    await grace.api.json("POST", "/api/v1/memory", { content: text, key: text, team_id });
  }
  await grace.api.json("POST", "/api/v1/credentials", { name: CANARY, kind: "password", secret: SECRET_OF_WORK });
  await everythingThatHappens();
});
afterAll(async () => await Promise.all([home?.stop(), work?.stop()]));

/** Each thing a user can do with a peer, and each way it goes wrong. */
async function everythingThatHappens(): Promise<void> {
  const { grant, invite } = await enroll(ada, work, { subject: grace.id, scope: SCOPE, peer: "work" });
  remember(invite);
  for (const resource of ["tasks", "notes", "memory", "teams"]) {
    const { rows } = await listEverything(ada.api, resource, "source=all&limit=2");
    expect(JSON.stringify(rows)).toContain(CANARY);
    for (const { id } of rows) await ada.api.json("GET", `/api/v1/${resource}/${id}?source=all`);
  }
  await ada.api.json("GET", "/api/v1/capabilities?source=all");
  await ada.api.json("GET", "/api/v1/credentials?source=all");
  await ada.api.call("GET", "/api/v1/credentials?source=federated:work");
  await ada.api.json("GET", "/api/v1/federation/status");

  const add = async (body: unknown): Promise<number> =>
    (await ada.api.call("POST", "/api/v1/federation/peers", body)).status;
  const unused = remember((await work.admin.api.json("POST", `/api/v1/federation/grants/${grant.id}/token`)).invite);
  const broken = remember((await work.admin.api.json("POST", `/api/v1/federation/grants/${grant.id}/token`)).invite);
  expect(await add({ invite: unused, name: "replaced" })).toBe(410);
  expect(await add({ invite: `${broken}x`, name: "too-long" })).toBe(400);
  expect(await add({ invite: broken.replace("http://", "http://user:pass@") })).toBe(400);
  expect(await add({ invite: broken.replace("#token=", "?token=") })).toBe(400);
  expect(await add({ invite: broken, unknown: broken })).toBe(400);
  expect(await add({ invite: broken.replace(/127\.0\.0\.1:\d+/, "127.0.0.1:1"), name: "nobody" })).toBe(502);
  const token = tokens.at(-1);
  for (const body of [
    { protocol: 1, token, csr: "no csr" },
    { protocol: 2, token, csr: "" },
    { [token ?? ""]: token },
  ]) {
    expect((await work.api().call("POST", "/enroll", body)).status).toBeGreaterThanOrEqual(400);
  }
  await work.api().call("GET", `/enroll?token=${token}`);
  await work.api().call("GET", `/nowhere?token=${token}`);
  await home.api(`${ada.key}x`).call("GET", "/api/v1/tasks");
  await home.api().call("GET", `/api/v1/tasks?key=${ada.key}`);

  const second = await enroll(await home.addUser("Second"), work, { subject: grace.id, scope: SCOPE, peer: "second" });
  remember(second.invite);
  await work.admin.api.json("POST", `/api/v1/federation/grants/${second.grant.id}/revoke`);
}

describe("nothing secret is stored in the clear, logged, or said in a refusal:", () => {
  async function expectNowhere(secrets: readonly string[]): Promise<void> {
    const places = {
      "home's database": await stored(home),
      "work's database": await stored(work),
      "what home told": told(home),
      "what work told": told(work),
    };
    for (const [place, text] of Object.entries(places)) {
      const searched = flat(text);
      for (const secret of secrets)
        expect(searched.includes(flat(secret)), `${secret.slice(0, 8)}… in ${place}`).toBe(false);
    }
  }

  test("the client key of a peer", async () => {
    const rows = await home.store.query<{ id: string; key: string }>(
      "select id::text as id, sealed_key as key from federation_peers",
      [],
    );
    expect(rows.length).toBeGreaterThanOrEqual(2);
    const sealer = createSealer({ secret: home.secret });
    for (const { id, key } of rows) {
      const pem = sealer.open(key, { table: "federation_peers", column: "sealed_key", rowId: id });
      expect(pem).toMatch(/^-----BEGIN PRIVATE KEY-----/);
      await expectNowhere(spellings(pem));
    }
  });

  test.each([
    ["the authority", "certificate_authorities"],
    ["the listeners", "federation_server_certificates"],
  ])("the key of %s", async (_name, table) => {
    for (const gateway of [home, work]) {
      const [row] = await gateway.store.query<{ id: string; key: string }>(
        `select id::text as id, sealed_key as key from ${table}`,
        [],
      );
      const binding = { table, column: "sealed_key", rowId: row?.id ?? "" };
      const pem = createSealer({ secret: gateway.secret }).open(row?.key ?? "", binding);
      expect(pem).toMatch(/^-----BEGIN PRIVATE KEY-----/);
      await expectNowhere(spellings(pem));
    }
  });

  test("any private key", async () => await expectNowhere(["PRIVATE KEY-----"]));
  test("the token of an invite, used, unused, replaced or mistyped", async () => {
    expect(tokens).toHaveLength(4);
    await expectNowhere(tokens);
  });
  test("an API key", async () => {
    await expectNowhere([ada.key, grace.key, home.admin.key, work.admin.key]);
  });
  test("what a gateway seals and signs with", async () => await expectNowhere([home.secret, work.secret]));
  test("a credential's secret", async () => await expectNowhere([SECRET_OF_WORK]));
  test("a password", async () => await expectNowhere(["correct horse battery staple"]));
});

describe("of what home read from work,", () => {
  test("nothing is in home's database, whatever was read, paged through or refused", async () => {
    const dump = await dumpDatabase(home.store);
    expect(dump.size).toBeGreaterThan(10);
    const found = [...dump].filter(([, rows]) => rows.some((row) => row.includes(CANARY))).map(([table]) => table);
    expect(found).toEqual([]);
    // The same search finds what is there.
    expect([...dump.values()].flat().some((row) => row.includes("zeisig"))).toBe(true);
    const tables = [...(await dumpDatabase(work.store))].filter(([, rows]) => rows.some((row) => row.includes(CANARY)));
    expect(tables.map(([table]) => table).toSorted()).toEqual(
      ["credentials", "memories", "notes", "search_words", "tasks", "teams", "users"].map((table) => `public.${table}`),
    );
  });

  test("no id of a row of work is either", async () => {
    const ids = await work.store.query<{ id: string }>(
      "select id::text as id from tasks union all select id::text from notes union all select id::text from memories",
      [],
    );
    expect(ids).toHaveLength(9);
    const text = await stored(home);
    expect(ids.filter(({ id }) => text.includes(id))).toEqual([]);
  });

  test("nothing is in home's log", () => {
    expect(home.log.length).toBeGreaterThan(10);
    expect(home.log.filter((line) => line.includes(CANARY))).toEqual([]);
  });
});

test("what peers ask is not in work's log, only that they asked", () => {
  const asked = servingRecords(work);
  expect(asked.length).toBeGreaterThan(10);
  expect(work.log.filter((line) => line.includes(CANARY))).toEqual([]);
});
