import { createPrivateKey } from "node:crypto";
import { readInvite } from "@mosaicstack/federation-protocol";
import { dumpDatabase, enroll, type Json, listEverything, type TestGateway, type TestUser } from "@mosaicstack/harness";
import { createSealer } from "@mosaicstack/storage";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { servingRecords } from "../serving-records.ts";

const SLOW_MS = 120_000;
const SCOPE = { resources: ["tasks", "notes", "memory", "teams"], include_teams: "all", include_personal: true };
const SECRET_OF_WORK = "hunter2-of-work-4711";

/** In every text of a row of work, and nowhere else. */
const CANARY = "kanarienvogel-7f3a";
/** In the database of home. */
const OWN_CANARY = "zeisig";

/** A peer's keys in `federation_peers`. */
const KEY_COLUMNS = ["sealed_key", "sealed_next_key", "sealed_previous_key"] as const;

/** Two gateways, of which work serves. */
export interface SecrecyStage {
  readonly home: TestGateway;
  readonly work: TestGateway;
  /** All that a gateway stored, in whatever it stores in, as one text. */
  stored(gateway: TestGateway): Promise<string>;
  /** How many keys of authorities and of listeners both have stored, sealed. */
  readonly keyCount: number;
  stop(): Promise<void>;
}

/** What a stage has that others have not. */
export interface SecrecyExtras {
  /** Secrets by their names, as they are once everything has happened. */
  readonly secrets: readonly (readonly [string, () => readonly string[]])[];
  /** What goes wrong here alone. @param enrollAs has home redeem a new invite of work, for a peer of this name: the status */
  misfortune(enrollAs: (peer: string) => Promise<number>): Promise<void>;
}

/** Rows of every table, as one text. */
export async function rowsOf({ store }: TestGateway): Promise<string> {
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

/**
 * That nothing secret is stored in the clear, logged or said in a refusal, and that nothing home reads from work stays with it,
 * whatever happens between them.
 */
export function secrecySuite(open: () => Promise<SecrecyStage>, extras?: SecrecyExtras): void {
  let stage: SecrecyStage;
  let home: TestGateway;
  let work: TestGateway;
  let ada: TestUser;
  let grace: TestUser;
  const tokens: string[] = [];
  /** Where nothing secret may be: what is there once everything has happened, without line breaks. */
  let places: Readonly<Record<string, string>> = {};
  /** Each key that home ever had for a peer, by what it is in; opened while it was there. */
  const peerKeys = new Map<string, Set<string>>(KEY_COLUMNS.map((column) => [column, new Set()]));

  beforeAll(async () => {
    stage = await open();
    ({ home, work } = stage);
    ada = await home.addUser("Ada");
    grace = await work.addUser(`Grace ${CANARY}`);
    const team = await work.addTeam(`Team ${CANARY}`, grace);
    await ada.api.json("POST", "/api/v1/tasks", { title: `ada's own canary: ${OWN_CANARY}` });
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
    places = {
      "home's database": flat(await stage.stored(home)),
      "work's database": flat(await stage.stored(work)),
      "what home told": flat(told(home)),
      "what work told": flat(told(work)),
    };
  }, SLOW_MS);
  afterAll(() => stage?.stop());

  function remember(invite: string): string {
    const reading = readInvite(invite);
    if (reading.kind === "malformed") throw new Error(reading.reason);
    tokens.push(reading.invite.token);
    return invite;
  }

  /** Opens the keys that home has for its peers now. */
  async function rememberPeerKeys(): Promise<void> {
    const sealer = createSealer({ secret: home.secret });
    for (const column of KEY_COLUMNS) {
      const rows = await home.store.query<{ id: string; key: string }>(
        `select id::text as id, ${column} as key from federation_peers where ${column} is not null`,
        [],
      );
      for (const { id, key } of rows) {
        peerKeys.get(column)?.add(sealer.open(key, { table: "federation_peers", column, rowId: id }));
      }
    }
  }

  /** Has a minute pass at work since a grant's last certificate, and home renew. */
  async function renew(grant: Json, peer: string): Promise<number> {
    const passed = `update federation_certificates set issued_at = issued_at - interval '61 seconds'
      where grant_id = $1 returning serial`;
    await work.store.query(passed, [grant.id]);
    return await renewNow(peer);
  }

  const renewNow = async (peer: string): Promise<number> =>
    (await ada.api.call("POST", `/api/v1/federation/peers/${peer}/renew`)).status;

  /** Each slot of a peer's keys in use at once: one peer waits for its next certificate, another could not yet use its new one. */
  async function renewals(grant: Json): Promise<void> {
    await rememberPeerKeys();
    expect(await renew(grant, "work")).toBe(200);
    await rememberPeerKeys();
    // Sooner than a minute after the last.
    expect(await renewNow("work")).toBe(429);
    const hurried = await work.admin.api.json("POST", "/api/v1/federation/grants", {
      name: "hurried",
      subject: grace.id,
      scope: SCOPE,
      requests_per_minute: 1,
    });
    const added = { invite: remember(hurried.invite), name: "hurried" };
    expect((await ada.api.call("POST", "/api/v1/federation/peers", added)).status).toBe(201);
    await rememberPeerKeys();
    // The new certificate's first use is one request too many.
    expect(await renew(hurried.grant, "hurried")).toBe(429);
    await rememberPeerKeys();
  }

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

    await renewals(grant);

    const second = await enroll(await home.addUser("Second"), work, {
      subject: grace.id,
      scope: SCOPE,
      peer: "second",
    });
    remember(second.invite);
    await work.admin.api.json("POST", `/api/v1/federation/grants/${second.grant.id}/revoke`);
    await extras?.misfortune(async (peer) => {
      const again = await work.admin.api.json("POST", `/api/v1/federation/grants/${grant.id}/token`);
      return await add({ invite: remember(again.invite), name: peer });
    });
    await rememberPeerKeys();
  }

  describe("nothing secret is stored in the clear, logged, or said in a refusal:", () => {
    function expectNowhere(secrets: readonly string[]): void {
      for (const [place, text] of Object.entries(places)) {
        for (const secret of secrets) {
          expect(text.includes(flat(secret)), `${secret.slice(0, 8)}… in ${place}`).toBe(false);
        }
      }
    }

    test.each([
      // Of two peers before and after their renewal, and of a third.
      ["sealed_key", 5],
      ["sealed_next_key", 1],
      ["sealed_previous_key", 1],
    ])("the client keys of peers that %s holds or held", (column, least) => {
      const keys = [...(peerKeys.get(column) ?? [])];
      expect(keys.length).toBeGreaterThanOrEqual(least);
      for (const pem of keys) expect(pem).toMatch(/^-----BEGIN PRIVATE KEY-----/);
      expectNowhere(keys.flatMap(spellings));
    });

    test("the keys of the authority and of the listeners", async () => {
      const opened: string[] = [];
      for (const table of ["certificate_authorities", "federation_server_certificates"]) {
        for (const gateway of [home, work]) {
          const rows = await gateway.store.query<{ id: string; key: string }>(
            `select id::text as id, sealed_key as key from ${table}`,
            [],
          );
          for (const { id, key } of rows) {
            const binding = { table, column: "sealed_key", rowId: id };
            opened.push(createSealer({ secret: gateway.secret }).open(key, binding));
          }
        }
      }
      expect(opened).toHaveLength(stage.keyCount);
      for (const pem of opened) expect(pem).toMatch(/^-----BEGIN PRIVATE KEY-----/);
      expectNowhere(opened.flatMap(spellings));
    });

    test("any private key", () => expectNowhere(["PRIVATE KEY-----"]));
    test("the token of an invite, used, unused, replaced or mistyped", () => {
      expect(tokens.length).toBeGreaterThanOrEqual(5);
      expectNowhere(tokens);
    });
    test("an API key", () => expectNowhere([ada.key, grace.key, home.admin.key, work.admin.key]));
    test("what a gateway seals and signs with", () => expectNowhere([home.secret, work.secret]));
    test("a credential's secret", () => expectNowhere([SECRET_OF_WORK]));
    test("a password", () => expectNowhere(["correct horse battery staple"]));
    test.each(extras?.secrets ?? [])("%s", (_what, secrets) => {
      expect(secrets().length).toBeGreaterThanOrEqual(1);
      expectNowhere(secrets());
    });
    test("while the same search finds what is there", () => {
      expect(() => expectNowhere([OWN_CANARY])).toThrow("in home's database");
      expect(() => expectNowhere([CANARY])).toThrow("in work's database");
      expect(() => expectNowhere(['"status":410'])).toThrow("in what home told");
    });
  });

  describe("of what home read from work,", () => {
    test("nothing is in home's database, whatever was read, paged through or refused", async () => {
      const dump = await dumpDatabase(home.store);
      expect(dump.size).toBeGreaterThan(10);
      const found = [...dump].filter(([, rows]) => rows.some((row) => row.includes(CANARY))).map(([table]) => table);
      expect(found).toEqual([]);
      // The same search finds what is there.
      expect([...dump.values()].flat().some((row) => row.includes(OWN_CANARY))).toBe(true);
      const tables = [...(await dumpDatabase(work.store))].filter(([, rows]) =>
        rows.some((row) => row.includes(CANARY)),
      );
      expect(tables.map(([table]) => table).toSorted()).toEqual(
        ["credentials", "memories", "notes", "search_words", "tasks", "teams", "users"].map(
          (table) => `public.${table}`,
        ),
      );
    });

    test("no id of a row of work is either", async () => {
      const ids = await work.store.query<{ id: string }>(
        "select id::text as id from tasks union all select id::text from notes union all select id::text from memories",
        [],
      );
      expect(ids).toHaveLength(9);
      const text = await stage.stored(home);
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
}
