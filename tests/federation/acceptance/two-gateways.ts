import {
  enroll,
  listEverything,
  type startGateway,
  type Json,
  type TestGateway,
  type TestUser,
} from "@mosaicstack/harness";
import { schema } from "@mosaicstack/storage";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connectAgent } from "../../mcp/agent-client.ts";
import { recordsOf } from "../serving-records.ts";

/** A home gateway that reads from one of work, from invite to answer. */
export function twoGateways(start: typeof startGateway): void {
  const EVERYTHING = { resources: ["tasks", "notes", "memory"], include_teams: "all", include_personal: true };

  let home: TestGateway;
  let work: TestGateway;
  /** Of home. */
  let ada: TestUser;
  let bob: TestUser;
  /** Of work: Grace is in both teams, Linus in one. */
  let grace: TestUser;
  let linus: TestUser;
  let platform: string;
  let design: string;

  async function addTask(user: TestUser, title: string, team?: string): Promise<Json> {
    return await user.api.json("POST", "/api/v1/tasks", { title, ...(team === undefined ? {} : { team_id: team }) });
  }

  const titles = (rows: readonly Json[]): string[] => rows.map((row) => row.title as string).toSorted();

  beforeAll(async () => {
    [home, work] = await Promise.all([
      start({ tier: "federated", name: "home" }),
      start({ tier: "federated", name: "work" }),
    ]);
    [ada, bob] = [await home.addUser("Ada"), await home.addUser("Bob")];
    [grace, linus] = [await work.addUser("Grace"), await work.addUser("Linus")];
    platform = await work.addTeam("Platform", grace, linus);
    design = await work.addTeam("Design", grace);
    // Alternating, so that a blended page has to interleave the two gateways.
    for (let index = 0; index < 4; index++) {
      await addTask(ada, `ada ${index}`);
      await addTask(grace, `grace personal ${index}`);
      await addTask(bob, `bob ${index}`);
      await addTask(linus, `platform ${index}`, platform);
      await addTask(grace, `design ${index}`, design);
      await addTask(linus, `linus personal ${index}`);
    }
    await grace.api.json("POST", "/api/v1/notes", { title: "Reise nach Zürich 🚆", body: "Gleis 7" });
    await enroll(ada, work, { subject: grace.email, scope: EVERYTHING, peer: "work" });
  });
  afterAll(async () => await Promise.all([home?.stop(), work?.stop()]));

  describe("a blended list", () => {
    const ofAda = [0, 1, 2, 3].map((index) => `ada ${index}`);
    const ofGrace = ["design", "grace personal", "platform"].flatMap((stem) => [0, 1, 2, 3].map((n) => `${stem} ${n}`));

    test("has the rows of both gateways, each tagged with its source, newest first", async () => {
      const { rows, sources, partial, next_cursor } = await ada.api.json("GET", "/api/v1/tasks?source=all&limit=200");
      expect(titles(rows)).toEqual([...ofAda, ...ofGrace].toSorted());
      for (const { title, _source } of rows) {
        expect(_source, title).toBe(title.startsWith("ada") ? "local" : "federated:work");
      }
      expect(rows.map(({ id }: Json) => id)).toEqual(
        rows
          .map(({ id }: Json) => id)
          .toSorted()
          .toReversed(),
      );
      expect({ partial, next_cursor }).toEqual({ partial: false, next_cursor: null });
      expect(sources).toEqual([
        { source: "local", status: "ok", took_ms: expect.any(Number), rows: 4, truncated: false },
        { source: "federated:work", status: "ok", took_ms: expect.any(Number), rows: 12, truncated: false },
      ]);
    });

    test.each([1, 3, 5, 16])("ends, by pages of %d, with each row given once and in order", async (limit) => {
      const { rows, pages } = await listEverything(ada.api, "tasks", `source=all&limit=${limit}`);
      expect(titles(rows)).toEqual([...ofAda, ...ofGrace].toSorted());
      const ids = rows.map(({ id }) => id as string);
      expect(ids).toEqual(ids.toSorted().toReversed());
      expect(pages).toHaveLength(Math.ceil(16 / limit));
      for (const page of pages) expect(page.partial).toBe(false);
    });

    test("says of each page what each source gave to it, and whether it has more", async () => {
      const page = await ada.api.json("GET", "/api/v1/tasks?source=all&limit=5");
      const given = page.sources.map(({ rows }: Json) => rows);
      expect(given[0] + given[1]).toBe(5);
      for (const { source, rows, truncated } of page.sources) {
        expect(rows).toBe(page.rows.filter(({ _source }: Json) => _source === source).length);
        expect(truncated).toBe(true);
      }
    });

    test("from one peer has that peer's rows alone", async () => {
      const { rows, sources } = await ada.api.json("GET", "/api/v1/tasks?source=federated:work&limit=200");
      expect(titles(rows)).toEqual(ofGrace);
      expect(sources.map(({ source }: Json) => source)).toEqual(["federated:work"]);
    });

    test("without a word of source has the local rows alone, and asks nobody", async () => {
      const { rows, sources } = await ada.api.json("GET", "/api/v1/tasks");
      expect(titles(rows)).toEqual(ofAda);
      expect(sources.map(({ source }: Json) => source)).toEqual(["local"]);
    });

    test("carries filters to the peer", async () => {
      const { rows } = await ada.api.json("GET", "/api/v1/tasks?source=all&status=done");
      expect(rows).toEqual([]);
      const ofTeam = await ada.api.json("GET", `/api/v1/tasks?source=all&team=${platform}`);
      expect(titles(ofTeam.rows)).toEqual(["platform 0", "platform 1", "platform 2", "platform 3"]);
    });
  });

  describe("one row", () => {
    test("is found at the peer that has it, whole", async () => {
      const { rows } = await ada.api.json("GET", "/api/v1/notes?source=all");
      expect(rows).toHaveLength(1);
      for (const source of ["all", "federated:work"]) {
        const { row, partial } = await ada.api.json("GET", `/api/v1/notes/${rows[0].id}?source=${source}`);
        expect(row).toMatchObject({ title: "Reise nach Zürich 🚆", body: "Gleis 7", _source: "federated:work" });
        expect(partial).toBe(false);
      }
    });

    test("that the subject may not see is answered as one that is not there", async () => {
      const theirs = await addTask(linus, "linus secret");
      const refusals = [theirs.id, "0190f5fe-7c00-7a00-8000-000000000000"].map(
        async (id) => await ada.api.call("GET", `/api/v1/tasks/${id}?source=federated:work`),
      );
      for (const { status, json } of await Promise.all(refusals)) {
        expect({ status, code: json.code }).toEqual({ status: 404, code: "not_found" });
      }
    });
  });

  test("capabilities tell what the grant covers, as whom", async () => {
    const { capabilities, partial } = await ada.api.json("GET", "/api/v1/capabilities?source=all");
    expect(partial).toBe(false);
    expect(Object.keys(capabilities)).toEqual(["local", "federated:work"]);
    const offered = capabilities["federated:work"];
    expect(offered.subject).toEqual({ id: grace.id, name: "Grace" });
    expect(offered.resources.map(({ name }: Json) => name).toSorted()).toEqual(["memory", "notes", "tasks"]);
  });

  test("a peer whose certificate can't be renewed is told of, with its end and what to do, wherever its user or an agent looks", async () => {
    // It is home's only one.
    const change = async (peer: Partial<typeof schema.federationPeers.$inferInsert>) =>
      await home.store.db.update(schema.federationPeers).set(peer);
    const agent = await connectAgent(home.url, ada.key);
    try {
      expect(await agent.text("capabilities")).not.toContain("To be seen to");
      const [before] = await home.store.db.select().from(schema.federationPeers);
      const degradedAt = new Date("2026-01-02T03:04:05.000Z");
      await change({ state: "degraded", degradedAt, renewError: "peer_failing" });
      const end = before?.notAfter?.toISOString().slice(0, 16).replace("T", " ");
      const warning = {
        code: "peer_degraded",
        detail: `The certificate for the peer "work" can't be renewed since 2026-01-02 03:04 (peer_failing); it ends ${end} UTC.`,
        remedy: "Try now: mosaic federation peer renew work",
      };
      const said = `To be seen to: federated:work (peer_degraded): ${warning.detail} ${warning.remedy} Tell the user.`;
      // Its peers are read from a cache of five seconds.
      await expect.poll(async () => await agent.text("capabilities"), { timeout: 10_000 }).toContain(said);
      const { sources, partial } = await agent.call("capabilities");
      expect({ sources, partial }).toMatchObject({
        sources: [{ source: "local" }, { status: "ok", warning }],
        partial: false,
      });
      expect(sources[0]).not.toHaveProperty("warning");
      const list = await ada.api.json("GET", "/api/v1/tasks?source=all&limit=2");
      expect(list).toMatchObject({
        partial: false,
        sources: [{}, { source: "federated:work", status: "ok", warning }],
      });
      const one = await ada.api.json("GET", "/api/v1/tasks?source=federated:work&limit=1");
      const got = await ada.api.json("GET", `/api/v1/tasks/${one.rows[0].id}?source=federated:work`);
      expect(got.sources).toMatchObject([{ source: "federated:work", warning }]);
      expect(await ada.api.json("GET", "/api/v1/federation/status")).toMatchObject({ peers: [{ warning }] });
      expect(await ada.api.json("GET", "/api/v1/federation/peers/work")).toMatchObject({ state: "degraded", warning });
    } finally {
      await change({ state: "active", degradedAt: null, renewError: null });
      await agent.close();
    }
  });

  describe("the scope of a grant", () => {
    test("denies a resource it does not name: that source says so, and the local rows are there", async () => {
      await ada.api.json("POST", "/api/v1/credentials", { name: "own", kind: "password", secret: "s3cret of ada" });
      const page = await ada.api.json("GET", "/api/v1/credentials?source=all");
      expect(page.rows.map(({ name, _source }: Json) => [name, _source])).toEqual([["own", "local"]]);
      expect(page.partial).toBe(true);
      expect(page.sources).toMatchObject([
        { source: "local", status: "ok" },
        { source: "federated:work", status: "denied", rows: 0, error: { code: "resource_not_in_scope" } },
      ]);
      expect(page.sources[1].error.remedy).not.toBe("");
    });

    test("hides a team it leaves out, and the personal rows, also where the subject wrote them", async () => {
      const user = await home.addUser("Narrow");
      const scope = { resources: ["tasks"], include_teams: [platform], include_personal: false };
      await enroll(user, work, { subject: grace.id, scope, peer: "narrow" });
      const { rows } = await user.api.json("GET", "/api/v1/tasks?source=all&limit=200");
      expect(titles(rows)).toEqual(["platform 0", "platform 1", "platform 2", "platform 3"]);
      const wider = await user.api.json("GET", `/api/v1/tasks?source=all&team=${design}`);
      expect(wider.rows).toEqual([]);
    });

    test("caps a page at its own limit, and the list still comes to its end", async () => {
      const user = await home.addUser("Capped");
      await enroll(user, work, { subject: grace.id, scope: { ...EVERYTHING, max_rows_per_query: 5 }, peer: "capped" });
      const { rows, pages } = await listEverything(user.api, "tasks", "source=all&limit=200");
      expect(titles(rows)).toEqual(ofSubject);
      expect(pages.map((page) => page.rows.length)).toEqual([5, 5, 2]);
      expect(pages[0].sources[1]).toMatchObject({ rows: 5, truncated: true });
    });
    const ofSubject = ["design", "grace personal", "platform"].flatMap((stem) =>
      [0, 1, 2, 3].map((n) => `${stem} ${n}`),
    );
  });

  describe("the serving side", () => {
    test("knows each request by the client certificate that arrived: the grant's own, for its subject", async () => {
      const user = await home.addUser("Witness");
      const { grant } = await enroll(user, work, { subject: linus.email, scope: EVERYTHING, peer: "witnessed" });
      await user.api.json("GET", "/api/v1/tasks?source=federated:witnessed");
      await user.api.json("GET", "/api/v1/capabilities?source=federated:witnessed");
      const shown = await work.admin.api.json("GET", `/api/v1/federation/grants/${grant.id}`);
      expect(shown).toMatchObject({ status: "active", subject: { id: linus.id, name: "Linus" } });
      expect(shown.certificates).toHaveLength(1);

      const records = recordsOf(work, grant);
      // The first is the confirmation of the new peer.
      expect(records.map(({ verb, outcome }) => [verb, outcome])).toEqual([
        ["capabilities", "ok"],
        ["list", "ok"],
        ["capabilities", "ok"],
      ]);
      for (const record of records) {
        expect(record).toMatchObject({ serial: shown.certificates[0].serial, subjectUserId: linus.id });
      }
    });

    test("answers two peers at once, each with its own subject's rows and no other's", async () => {
      const [one, two] = [await home.addUser("One"), await home.addUser("Two")];
      await enroll(one, work, { subject: grace.id, scope: EVERYTHING, peer: "same-name" });
      await enroll(two, work, { subject: linus.id, scope: EVERYTHING, peer: "same-name" });
      const list = async (user: TestUser): Promise<string[]> =>
        titles((await user.api.json("GET", "/api/v1/tasks?source=federated:same-name&limit=200")).rows);
      const [ofGrace, ofLinus] = [await list(one), await list(two)];
      expect(ofGrace.some((title) => title.startsWith("linus"))).toBe(false);
      expect(ofLinus.some((title) => title.startsWith("grace") || title.startsWith("design"))).toBe(false);
      const answers = await Promise.all(Array.from({ length: 40 }, (_, index) => list(index % 2 === 0 ? one : two)));
      for (const [index, answer] of answers.entries()) expect(answer).toEqual(index % 2 === 0 ? ofGrace : ofLinus);
    });
  });

  describe("a peer belongs to its user", () => {
    test("another user of the gateway has the answers of one who names a peer that never was", async () => {
      const paths = (name: string): [string, string][] => [
        ["GET", `/api/v1/federation/peers/${name}`],
        ["DELETE", `/api/v1/federation/peers/${name}`],
        ["GET", `/api/v1/tasks?source=federated:${name}`],
        ["GET", `/api/v1/capabilities?source=federated:${name}`],
      ];
      const others = [bob, home.admin];
      for (const user of others) {
        const [theirs, absent] = await Promise.all(
          ["work", "kwor"].map(
            async (name) =>
              await Promise.all(
                paths(name).map(async ([method, path]) => {
                  const { status, json } = await user.api.call(method as "GET", path);
                  const { request_id: _id, ...problem } = json;
                  return { status, problem };
                }),
              ),
          ),
        );
        expect(theirs).toEqual(absent);
        expect(theirs?.map(({ status }) => status)).toEqual([404, 404, 404, 404]);
        expect((await user.api.json("GET", "/api/v1/federation/peers")).peers).toEqual([]);
        const { sources } = await user.api.json("GET", "/api/v1/tasks?source=all");
        expect(sources.map(({ source }: Json) => source)).toEqual(["local"]);
      }
      expect((await ada.api.json("GET", "/api/v1/federation/peers/work")).state).toBe("active");
    });

    test("the subject sees the grant over their data and may revoke it; their team mate sees none of it", async () => {
      const user = await home.addUser("Revocable");
      const { grant } = await enroll(user, work, { subject: grace.id, scope: EVERYTHING, peer: "revocable" });
      const path = `/api/v1/federation/grants/${grant.id}`;
      expect((await linus.api.call("GET", path)).status).toBe(404);
      expect((await linus.api.call("POST", `${path}/revoke`)).status).toBe(404);
      expect((await grace.api.json("GET", path)).status).toBe("active");
      expect((await grace.api.json("POST", `${path}/revoke`)).status).toBe("revoked");
      const { sources } = await user.api.json("GET", "/api/v1/tasks?source=all");
      expect(sources[1].status).not.toBe("ok");
    });
  });
}
