import {
  type Company,
  type Employee,
  type Json,
  startCompany,
  type startGateway,
  type TestUser,
} from "@mosaicstack/harness";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

/** Both sides' records of requests: three employees of one company, each with a gateway at home. */
export function auditOfRequests(start: typeof startGateway): void {
  let company: Company;
  beforeAll(async () => {
    company = await startCompany({}, start);
  });
  afterAll(async () => await company?.stop());

  const AUDIT = "/api/v1/federation/audit";
  const employees = (): readonly Employee[] => company.employees;

  /** Every entry somebody sees, by pages of seven. */
  async function entriesOf(user: TestUser, filters: Record<string, string> = {}): Promise<Json[]> {
    const rows: Json[] = [];
    for (let cursor: string | null = ""; cursor !== null;) {
      const query = new URLSearchParams({ ...filters, limit: "7", ...(cursor === "" ? {} : { cursor }) });
      const page: Json = await user.api.json("GET", `${AUDIT}?${query.toString()}`);
      rows.push(...page.rows);
      cursor = page.next_cursor;
    }
    return rows;
  }

  async function exported(origin: string, key: string, query: string): Promise<{ type: string; text: string }> {
    const answer = await fetch(`${origin}${AUDIT}/export?${query}`, { headers: { authorization: `Bearer ${key}` } });
    expect(answer.status).toBe(200);
    return { type: answer.headers.get("content-type") ?? "", text: await answer.text() };
  }

  /** Both gateways' entries of one request, once each has them. */
  async function settled(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 900));
  }

  describe("three employees who query at the same time", () => {
    const QUESTION = "zebra-canary-question";
    beforeAll(async () => {
      const ask = async ({ user }: Employee): Promise<void> => {
        for (let turn = 0; turn < 8; turn += 1) {
          await user.api.json("GET", "/api/v1/tasks?source=federated:work&limit=2");
          await user.api.json("GET", `/api/v1/search?q=${QUESTION}&source=federated:work`);
          await user.api.call("GET", "/api/v1/memory?source=federated:work");
          await user.api.json("GET", "/api/v1/capabilities?source=federated:work");
        }
      };
      await Promise.all(employees().flatMap((employee) => [ask(employee), ask(employee)]));
      await settled();
    });

    test("have one entry on each side of each request, of the same id, verb, resource, rows, bytes and outcome", async () => {
      const served: Json[] = await entriesOf(company.work.admin, { side: "serving", event: "request" });
      const byRequest = new Map(served.map((entry) => [entry.request_id, entry]));
      expect(byRequest.size).toBe(served.length);
      let count = 0;
      for (const { user, grant } of employees()) {
        const asked = await entriesOf(user, { side: "querying", event: "request" });
        // Eight turns of four, twice; and the one that confirmed the peer.
        expect(asked).toHaveLength(2 * 8 * 4 + 1);
        expect(asked.every(({ grant_id: id }) => id === grant.id)).toBe(true);
        for (const entry of asked) {
          const other = byRequest.get(entry.request_id);
          const { verb, rows, bytes, outcome } = entry;
          // A refusal is read no further than its code.
          const answered = outcome === "ok" ? { bytes, resource: entry.resource } : {};
          expect(other).toMatchObject({ verb, outcome, rows, grant_id: grant.id, ...answered });
          expect([typeof entry.took_ms, typeof other.took_ms]).toEqual(["number", "number"]);
        }
        expect(new Set(asked.map(({ outcome }) => outcome))).toEqual(new Set(["ok", "resource_not_in_scope"]));
        count += asked.length;
      }
      expect(served).toHaveLength(count);
    });

    test("are never taken for each other: every entry has its own subject, peer and grant", async () => {
      const served: Json[] = await entriesOf(company.work.admin, { side: "serving", event: "request" });
      for (const { grant, colleague, user, home } of employees()) {
        const own = served.filter(({ grant_id: id }) => id === grant.id);
        expect(own).toHaveLength(2 * 8 * 4 + 1);
        expect(new Set(own.map(({ subject_user_id: id }) => id))).toEqual(new Set([colleague.id]));
        expect(new Set(own.map(({ serial }) => serial)).size).toBe(1);
        const [peer] = (await user.api.json("GET", "/api/v1/federation/peers")).peers;
        const asked = await entriesOf(user);
        expect(new Set(asked.map(({ subject_user_id: id }) => id))).toEqual(new Set([user.id]));
        expect(new Set(asked.map(({ peer_name: name }) => name))).toEqual(new Set([peer.name]));
        expect(home.name).toContain(user.name.toLowerCase());
      }
    });

    test("leave neither the question nor a key in any entry, and equal questions have equal hashes", async () => {
      for (const gateway of [company.work, ...employees().map(({ home }) => home)]) {
        const [dump] = await gateway.store.query<{ text: string }>(
          "select string_agg(to_jsonb(l)::text, ' ') as text from federation_audit_log l",
          [],
        );
        expect(dump?.text).toContain("resource_not_in_scope");
        expect(dump?.text).not.toMatch(/zebra-canary|BEGIN|token=|Bearer/u);
        expect(dump?.text).not.toContain(gateway.admin.key);
      }
      const hashes = (entries: Json[]) => new Set(entries.map(({ query_hash: hash }) => hash));
      const searches = (await entriesOf(company.work.admin)).filter(({ verb }) => verb === "search");
      const lists = (await entriesOf(company.work.admin)).filter(
        ({ verb, outcome }) => verb === "list" && outcome === "ok",
      );
      expect([hashes(searches).size, hashes(lists).size]).toEqual([1, 1]);
      expect(hashes(searches)).not.toEqual(hashes(lists));
    });

    test("see their requests within a second of asking", async () => {
      const [{ user }] = company.employees;
      const before = (await entriesOf(user)).length;
      await user.api.json("GET", "/api/v1/tasks?source=federated:work");
      await expect.poll(async () => (await entriesOf(user)).length, { timeout: 1_000, interval: 50 }).toBe(before + 1);
    });

    test("filter their entries by everything the list takes", async () => {
      const [{ grant, colleague }, { grant: other }] = company.employees;
      const { admin } = company.work;
      const all = await entriesOf(admin);
      const [newest] = all;
      const of = async (filters: Record<string, string>) => await entriesOf(admin, filters);
      expect(await of({ grant: grant.id })).toEqual(all.filter(({ grant_id: id }) => id === grant.id));
      expect(await of({ user: colleague.id })).toEqual(
        all.filter((row) => row.subject_user_id === colleague.id || row.actor_user_id === colleague.id),
      );
      expect(await of({ outcome: "refused" })).toEqual(all.filter(({ outcome }) => outcome !== "ok"));
      expect(await of({ outcome: "resource_not_in_scope", grant: other.id })).toHaveLength(16);
      expect(await of({ request_id: newest.request_id })).toEqual([newest]);
      expect(await of({ event: "grant.created" })).toEqual(all.filter(({ event }) => event === "grant.created"));
      const middle = all[Math.floor(all.length / 2)];
      expect(await of({ since: middle.at })).toEqual(all.filter(({ at }) => at >= middle.at));
      expect(await of({ until: middle.at })).toEqual(all.filter(({ at }) => at < middle.at));
      expect(await of({ side: "querying" })).toEqual([]);
      expect(await of({ peer: "nobody" })).toEqual([]);
      const clamped = await admin.api.json("GET", `${AUDIT}?limit=1000`);
      expect(clamped).toMatchObject({ limit: 200, limit_clamped: true });
    });

    test("export the same as JSON lines, oldest first, and as CSV without a formula", async () => {
      const { work } = company;
      const all = await entriesOf(work.admin);
      const lines = await exported(work.url, work.admin.key, "");
      expect(lines.type).toContain("application/x-ndjson");
      const rows = lines.text
        .trimEnd()
        .split("\n")
        .map((line): Json => JSON.parse(line));
      expect(rows).toEqual(all.toReversed());

      const [{ grant }] = company.employees;
      await work.admin.api.json("PATCH", `/api/v1/federation/grants/${grant.id}`, { name: '=cmd|" /C calc"!A0, "x"' });
      const csv = await exported(work.url, work.admin.key, `format=csv&grant=${grant.id}&event=request`);
      expect(csv.type).toContain("text/csv");
      const records = csv.text.split("\r\n");
      expect(records[0]).toMatch(/^id,at,side,event,outcome,/u);
      expect(records.at(-1)).toBe("");
      expect(records).toHaveLength(
        all.filter((row) => row.grant_id === grant.id && row.event === "request").length + 2,
      );
      for (const record of records.slice(1, -1)) expect(record).toContain(`,"'=cmd|"" /C calc""!A0, ""x""",`);
    });
  });

  describe("who may read the audit", () => {
    test("a subject sees the entries of grants over their own data, and of no other grant", async () => {
      for (const { colleague, grant } of employees()) {
        const seen = await entriesOf(colleague);
        expect(seen.length).toBeGreaterThan(60);
        expect(new Set(seen.map(({ grant_id: id }) => id))).toEqual(new Set([grant.id]));
        const { text } = await exported(company.work.url, colleague.key, "");
        expect(text.trimEnd().split("\n")).toHaveLength(seen.length);
      }
    });

    test("a subject does not see another's entries by asking for them", async () => {
      const [ada, ben] = company.employees;
      const [of] = await entriesOf(ben.colleague);
      for (const filters of [{ grant: ben.grant.id }, { user: ben.colleague.id }, { request_id: of.request_id }]) {
        expect(await entriesOf(ada.colleague, filters)).toEqual([]);
        const query = new URLSearchParams(filters).toString();
        expect((await exported(company.work.url, ada.colleague.key, query)).text).toBe("");
      }
    });

    test("a user who is nobody's subject and has no peers sees nothing", async () => {
      const stranger = await company.work.addUser("Stranger");
      expect(await entriesOf(stranger)).toEqual([]);
      expect((await exported(company.work.url, stranger.key, "")).text).toBe("");
    });

    test("nobody else at home sees a user's own peers' entries: no other user, and no administrator", async () => {
      const [{ home, user }] = company.employees;
      const other = await home.addUser("Other");
      expect((await entriesOf(user)).length).toBeGreaterThan(0);
      for (const reader of [other, home.admin]) {
        expect(await entriesOf(reader)).toEqual([]);
        expect(await entriesOf(reader, { side: "querying", user: user.id })).toEqual([]);
        expect((await exported(home.url, reader.key, "side=querying")).text).toBe("");
      }
    });

    test("who claims somebody's grant with a certificate of their own is not that subject", async () => {
      const [{ grant, colleague }] = company.employees;
      const mallory = await company.work.addUser("Mallory");
      // As an untrusted certificate would claim it: another's subject, under Ada's grant.
      await company.work.store.query(
        `insert into federation_audit_log (id, at, side, event, outcome, grant_id, subject_user_id)
         values (gen_random_uuid(), now(), 'serving', 'connection', 'certificate_untrusted', $1, $2)`,
        [grant.id, mallory.id],
      );
      expect(await entriesOf(mallory)).toEqual([]);
      expect(await entriesOf(colleague, { event: "connection" })).toHaveLength(1);
    });

    test("without a credential nobody sees anything", async () => {
      for (const path of [AUDIT, `${AUDIT}/export`, `${AUDIT}/verify`]) {
        expect((await company.work.api().call("GET", path)).status).toBe(401);
      }
    });

    test("only an administrator verifies, and is told the head", async () => {
      const [{ colleague }] = company.employees;
      expect(await colleague.api.call("GET", `${AUDIT}/verify`)).toMatchObject({
        status: 403,
        json: { code: "not_admin" },
      });
      expect((await colleague.api.json("GET", AUDIT)).head).toBeNull();
      expect((await company.work.admin.api.json("GET", AUDIT)).head).toMatchObject({ position: expect.any(Number) });
    });
  });

  test("the chain of both sides is intact, an edit of the database is named, and an old head is found by --expect", async () => {
    const { work } = company;
    const verify = async (query = ""): Promise<Json> => await work.admin.api.json("GET", `${AUDIT}/verify${query}`);
    await settled();
    const before = await verify();
    expect(before).toMatchObject({ intact: true, findings: [], dropped: 0, unchained: 0 });
    expect(before.entries).toBe(before.head.position);
    const { position, hash } = before.head;
    expect(await verify(`?expect=${position}:${hash}`)).toMatchObject({ intact: true });
    for (const { home } of employees()) {
      expect(await home.admin.api.json("GET", `${AUDIT}/verify`)).toMatchObject({ intact: true });
    }

    await work.store.transaction(async (db) => {
      await db.execute("set local session_replication_role = replica");
      await db.execute("update federation_audit_log set rows = 4711 where position = 5");
    });
    const [found] = await work.store.query<{ id: string }>(
      "select id from federation_audit_log where position = 5",
      [],
    );
    expect(await verify()).toMatchObject({
      intact: false,
      findings: [{ kind: "changed", position: 5, id: found?.id }],
    });
    expect(await verify(`?expect=${position + 1_000}:${hash}`)).toMatchObject({ finding_count: 2 });
    expect((await work.admin.api.call("GET", `${AUDIT}/verify?expect=nonsense`)).status).toBe(400);
  });

  test("at home queries are answered while the audit can't be written, the status says so, and what waited is written after", async () => {
    const [, , { home, user }] = company.employees;
    const before = (await entriesOf(user)).length;
    await home.store.query("alter table federation_audit_log rename to audit_away", []);
    for (let turn = 0; turn < 5; turn += 1) {
      const startedAt = performance.now();
      const { sources } = await user.api.json("GET", "/api/v1/tasks?source=federated:work");
      expect(sources).toMatchObject([{ status: "ok" }]);
      expect(performance.now() - startedAt).toBeLessThan(1_000);
    }
    await expect
      .poll(async () => (await home.api().json("GET", "/readyz")).services, { timeout: 3_000 })
      .toContainEqual(expect.objectContaining({ service: "audit", status: "degraded", queued: 5, dropped: 0 }));
    expect((await user.api.json("GET", "/api/v1/federation/status")).audit).toMatchObject({ failing: true, queued: 5 });
    await home.store.query("alter table audit_away rename to federation_audit_log", []);
    await expect.poll(async () => (await entriesOf(user)).length, { timeout: 8_000 }).toBe(before + 5);
    expect((await home.api().json("GET", "/readyz")).status).toBe("ok");
    expect(home.log.filter((line) => line.includes("the audit log cannot be written"))).toHaveLength(1);
  });
}
